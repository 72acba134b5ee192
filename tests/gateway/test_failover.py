"""The engine fails in every way that it can; somebody answers, soon, and it is asked again."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway.caller import Caller, Said
from tests.gateway.conftest import FIRST_TOKEN_SECONDS, HANG_SECONDS
from tools.gateway.forge import ENGINE_MODEL, Gateway
from tools.gateway.stubs import WORDS, Failure

BACK_SECONDS = 5.0
_SLACK_SECONDS = 1.5  # a busy machine's, on top of a deadline of seconds
AT_ONCE = ["refused", Failure.ERROR_500, Failure.ERROR_503]


def _fail(gateway: Gateway, how: str | Failure) -> None:
    if isinstance(how, Failure):
        gateway.engine.failure = how
    else:
        gateway.engine.kill()


def _text(said: Said) -> str:
    """The words of an answer, streamed or not."""
    if said.answer.headers["content-type"].startswith("text/event-stream"):
        pieces = [json.loads(one) for one in said.events if one != "[DONE]"]
        return "".join(one["choices"][0]["delta"].get("content") or "" for one in pieces)
    choices = said.content["choices"]
    assert isinstance(choices, list)
    return str(choices[0]["message"]["content"])


def _assert_back_soon_once_revived(gateway: Gateway, caller: Caller) -> None:
    gateway.engine.revive()
    took = caller.wait_until(lambda: caller.chat().reason is None, "the engine is asked again")
    assert took <= BACK_SECONDS


def _is_whole(said: Said) -> bool:
    return said.status == 200 and _text(said).split() == list(WORDS)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", AT_ONCE, ids=str)
def test_a_dead_engine_costs_nobody_an_answer(
    gateway: Gateway, caller: Caller, how: str | Failure, stream: bool
) -> None:
    _fail(gateway, how)
    first = caller.chat(stream=stream)
    assert _is_whole(first), first.answer.body
    assert first.reason in ("engine-failed", "engine-down")
    if stream:
        assert first.events[-1] == "[DONE]"
    asked = len(gateway.engine.seen)
    for _ in range(5):
        said = caller.chat(stream=stream)
        assert _is_whole(said)
        assert said.reason == "engine-down"
    assert len(gateway.engine.seen) == asked, "a dead engine is not asked again"


@pytest.mark.parametrize("how", [Failure.ERROR_500, Failure.ERROR_503], ids=str)
def test_the_request_that_meets_a_dead_engine_asks_it_once(
    gateway: Gateway, caller: Caller, how: Failure
) -> None:
    """What it costs in time is a row of the bench; LiteLLM's own retries cost 2 s here."""
    gateway.engine.health_lies = True
    _fail(gateway, how)
    first = caller.chat()
    assert _is_whole(first)
    assert first.reason == "engine-failed"
    assert (len(gateway.engine.seen), len(gateway.ollama.seen)) == (1, 1)


def _told_of(gateway: Gateway, caller: Caller, model: str) -> tuple[int, str]:
    """The status of a request to this model, and what the proxy's log has of it."""
    before = gateway.proxy.log.stat().st_size
    status = caller.chat(model=model).status
    return status, gateway.proxy.log.read_bytes()[before:].decode()


def test_a_failure_made_good_is_told_in_a_line(gateway: Gateway, caller: Caller) -> None:
    """LiteLLM would tell it at length while somebody waits."""
    _fail(gateway, Failure.ERROR_500)
    status, told = _told_of(gateway, caller, ENGINE_MODEL)
    assert status == 200
    assert f"{ENGINE_MODEL}: status 500, asking another" in told
    assert "Traceback" not in told


def test_a_failure_that_stands_is_told_without_its_way_through_the_code(
    gateway: Gateway, caller: Caller
) -> None:
    gateway.ollama.failure = Failure.ERROR_500
    status, told = _told_of(gateway, caller, "llama3.1:8b")
    assert status == 500
    assert "the engine is dead" in told
    assert told.count('  File "') <= told.count("Traceback")


@pytest.mark.parametrize("how", [*AT_ONCE, Failure.HANG], ids=str)
def test_a_revived_engine_is_asked_again_soon(
    gateway: Gateway, caller: Caller, how: str | Failure
) -> None:
    _fail(gateway, how)
    for _ in range(3):
        assert _is_whole(caller.chat(stream=True))
    caller.wait_until(lambda: caller.chat().reason == "engine-down", "it is known to be dead")
    _assert_back_soon_once_revived(gateway, caller)


def test_an_engine_whose_health_lies_is_tried_ever_more_seldom(
    gateway: Gateway, caller: Caller
) -> None:
    gateway.engine.health_lies = True
    gateway.engine.failure = Failure.ERROR_500
    began = time.monotonic()
    while time.monotonic() - began < 8:
        assert _is_whole(caller.chat())
    # Held for 1, 2, 4 and 4 s.
    assert 2 <= len(gateway.engine.seen) <= 5
    _assert_back_soon_once_revived(gateway, caller)


def test_a_hanging_engine_keeps_a_stream_waiting_for_the_first_token_s_deadline(
    gateway: Gateway, caller: Caller
) -> None:
    gateway.engine.health_lies = True
    gateway.engine.failure = Failure.HANG
    said = caller.chat(stream=True)
    assert _is_whole(said)
    assert said.reason == "engine-slow"
    assert FIRST_TOKEN_SECONDS <= said.seconds <= FIRST_TOKEN_SECONDS + _SLACK_SECONDS


def test_an_engine_that_is_slow_to_begin_is_given_up_by_that_stream_alone(
    gateway: Gateway, caller: Caller
) -> None:
    gateway.engine.failure = Failure.SLOW_START
    said = caller.chat(stream=True)
    assert _is_whole(said)
    assert said.reason == "engine-slow"
    assert FIRST_TOKEN_SECONDS <= said.seconds <= FIRST_TOKEN_SECONDS + _SLACK_SECONDS
    assert caller.chat().reason is None


def test_a_hanging_engine_keeps_a_request_waiting_until_its_health_is_known(
    gateway: Gateway, caller: Caller
) -> None:
    gateway.engine.failure = Failure.HANG
    said = caller.chat()
    assert _is_whole(said)
    assert said.reason == "engine-down"
    assert said.seconds <= 1 + HANG_SECONDS + _SLACK_SECONDS


def test_a_busy_engine_that_still_answers_is_not_given_up(gateway: Gateway, caller: Caller) -> None:
    """VLLM may answer its health check after half a minute under load, and streams meanwhile."""
    gateway.engine.health_hangs = True
    gateway.engine.word_seconds = (HANG_SECONDS + 2) / len(WORDS)
    said = caller.chat(stream=True)
    assert _is_whole(said)
    assert said.reason is None
    assert caller.chat().reason is None


def test_a_slow_answer_in_one_piece_is_waited_for(gateway: Gateway, caller: Caller) -> None:
    gateway.engine.answer_seconds = HANG_SECONDS + 1
    said = caller.chat()
    assert _is_whole(said)
    assert said.reason is None


def test_requests_at_work_in_an_engine_that_dies_are_answered_elsewhere(
    gateway: Gateway, caller: Caller
) -> None:
    gateway.engine.answer_seconds = 30
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(caller.chat) for _ in range(8)]
        caller.wait_until(lambda: len(gateway.engine.seen) == 8, "the engine has them all")
        gateway.engine.kill()
        answers = [one.result(timeout=30) for one in waiting]
    assert all(map(_is_whole, answers))
    assert {one.reason for one in answers} <= {"engine-failed", "engine-down"}


def test_a_stream_that_is_cut_ends_with_an_error_event(gateway: Gateway, caller: Caller) -> None:
    gateway.engine.failure = Failure.CUT_MID_STREAM
    gateway.engine.word_seconds = 0.05
    said = caller.chat(stream=True)
    *words, last = [json.loads(one) for one in said.events if one != "[DONE]"]
    assert said.status == 200
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in words).split() == [
        *WORDS[: len(WORDS) // 2]
    ]
    assert set(last) == {"error"}
    assert last["error"]["message"]
    assert "[DONE]" not in said.events
    counter = (
        'litellm_proxy_failed_requests_metric_total{exception_status="cut",'
        'requested_model="llama-3.2-8b"}'
    )
    caller.wait_until(lambda: gateway.metrics().get(counter, 0) > 0, "the cut is counted")


def test_what_a_caller_does_wrong_says_nothing_about_the_engine(caller: Caller) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    refused = caller.chat(messages=[{"role": "user", "content": [image]}])
    assert refused.status == 400
    assert caller.chat().reason is None


def test_one_missing_model_of_ollama_leaves_the_others(gateway: Gateway, caller: Caller) -> None:
    """LiteLLM's cooldown would leave Ollama out: the last resort of everybody."""
    models = gateway.ollama.models
    gateway.ollama.models = ("llama3.1:8b",)
    try:
        assert caller.chat("llama3.2:3b").status == 404
        gateway.engine.kill()
        assert _is_whole(caller.chat())
        assert _is_whole(caller.chat("llama3.1:8b"))
    finally:
        gateway.ollama.models = models
