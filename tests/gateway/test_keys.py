"""Whoever has no accepted key gets the same 401, and leaves no trace."""

from collections.abc import Mapping
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.gateway.caller import Caller
from tests.gateway.conftest import PREVIOUS_KEY
from tools.gateway.forge import KEY, Gateway

WRONG = "sk-wrong-5up3r-s3cret"
REFUSED: list[Mapping[str, str]] = [
    {},
    {"Authorization": f"Bearer {WRONG}"},
    {"Authorization": WRONG},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer"},
    {"Authorization": f"Basic {WRONG}"},
    {"Authorization": f"Bearer {KEY}x"},
    {"Authorization": f"Bearer {KEY[:-1]}"},
    {"Authorization": f"Bearer {KEY.upper()}"},
    {"Authorization": "Bearer synapse"},  # by what LiteLLM knows every caller
    {"api-key": WRONG},
    {"x-api-key": WRONG},
    {"x-goog-api-key": WRONG},
    {"x-litellm-api-key": f"Bearer {WRONG}"},
]


def _get(gateway: Gateway, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
    request = Request(gateway.proxy.url + path, headers=dict(headers))  # noqa: S310  loopback
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310  loopback
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("headers", REFUSED, ids=str)
def test_everybody_without_the_key_gets_the_same_401(
    gateway: Gateway, headers: Mapping[str, str]
) -> None:
    status, body = _get(gateway, "/v1/models", headers)
    assert (status, body) == (401, _get(gateway, "/v1/models", {})[1])


CLOSED = """
    / /ui /ui/ /docs /openapi.json /metrics /metrics/ /health /routes /key/generate /config/yaml
    /model/info /nowhere //v1/models /v1/../health /health/readiness/details /health/liveliness/
    /get/config/callbacks
"""


@pytest.mark.parametrize("path", CLOSED.split())
def test_no_page_of_the_proxy_is_open_but_its_two_probes(gateway: Gateway, path: str) -> None:
    assert _get(gateway, path, {})[0] == 401


@pytest.mark.parametrize("path", ["/health/readiness", "/health/liveliness", "/health/liveness"])
def test_the_probes_need_no_key(gateway: Gateway, path: str) -> None:
    assert _get(gateway, path, {})[0] == 200


def test_no_page_of_the_proxy_has_metrics(gateway: Gateway) -> None:
    """They have a port of their own, which the NetworkPolicy opens to Prometheus alone."""
    assert _get(gateway, "/metrics", {"Authorization": f"Bearer {KEY}"})[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"Bearer {PREVIOUS_KEY}"},
        {"x-api-key": KEY},
        {"api-key": KEY},
    ],
    ids=str,
)
def test_the_key_and_the_one_before_it_open(gateway: Gateway, headers: Mapping[str, str]) -> None:
    assert _get(gateway, "/v1/models", headers)[0] == 200


def test_a_refused_key_leaves_no_trace(gateway: Gateway) -> None:
    for headers in REFUSED:
        _get(gateway, "/v1/models", headers)
    for key in (WRONG, "", f"{KEY}x"):
        assert Caller(gateway, key=key).chat().status == 401
    written = gateway.proxy.log.read_text(encoding="utf-8", errors="replace")
    counted = "\n".join(gateway.metrics())
    for key in (WRONG, "wrong", KEY, PREVIOUS_KEY):
        assert key not in written
        assert key not in counted


def test_refusals_are_counted(gateway: Gateway) -> None:
    counter = 'litellm_proxy_total_requests_metric_total{requested_model="other",status_code="401"}'
    before = gateway.metrics().get(counter, 0)
    _get(gateway, "/v1/models", {})
    caller = Caller(gateway)
    caller.wait_until(lambda: gateway.metrics().get(counter, 0) > before, "it is counted")
