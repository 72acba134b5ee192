"""What a caller sends by mistake or with intent is refused in its face, and reaches nobody."""

import httpx
import pytest

from tests.gateway.caller import Caller
from tools.gateway.forge import CHAT, KEY, QUESTION, Gateway

BROKEN = [b"", b"{nonsense", b"[1]", b"5", b"null", b'"chat"', b"\xff\xfe", b"[" * 5000]


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: str(body[:12]))
def test_what_is_no_question_is_the_caller_s_mistake(gateway: Gateway, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    said = httpx.post(gateway.proxy.url + CHAT, content=body, headers=headers, timeout=30)
    assert said.status_code == 400, said.text
    assert said.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "named",
    [
        {"api_base": "http://elsewhere"},
        {"base_url": "http://elsewhere"},
        {"model_list": []},
        {"metadata": {"api_base": "http://elsewhere"}},
        {"mock_timeout": "x", "mock_delay": 600},
    ],
    ids=str,
)
def test_no_caller_says_who_answers(
    gateway: Gateway, caller: Caller, named: dict[str, object]
) -> None:
    said = caller.post(CHAT, {**QUESTION, **named})
    assert said.status == 400, said.answer.body
    assert gateway.engine.seen == []
