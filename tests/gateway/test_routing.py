"""Every name is answered by whom the plan says, and a stranger's name is marked or refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse.settings.settings import Settings
from tests.gateway.caller import Caller
from tests.gateway.conftest import EMBEDDINGS, plan_with
from tools.gateway.forge import CHAT, Gateway, running_gateway
from tools.gateway.stubs import Stub


def _asked(stub: Stub) -> list[tuple[str, object]]:
    return [(path, body.get("model")) for path, body in stub.seen]


def test_every_chat_route_reaches_its_backend_by_the_model_s_name_there(
    gateway: Gateway, caller: Caller
) -> None:
    for route in gateway.plan.gateway.routes:
        if route.mode != "chat":
            continue
        gateway.engine.seen.clear()
        gateway.ollama.seen.clear()
        said = caller.chat(route.name)
        assert (said.status, said.reason) == (200, None), route.name
        asked = [(CHAT, route.model)]
        wanted = (asked, []) if route.backend == "engine" else ([], asked)
        assert (_asked(gateway.engine), _asked(gateway.ollama)) == wanted, route.name


@pytest.mark.parametrize("model", EMBEDDINGS)
def test_embeddings_are_answered_by_v1_embeddings(
    gateway: Gateway, caller: Caller, model: str
) -> None:
    said = caller.post("/v1/embeddings", {"model": model, "input": ["a", "b"]})
    assert said.status == 200
    assert _asked(gateway.ollama) == [("/v1/embeddings", model)]
    data = said.content["data"]
    assert isinstance(data, list)
    assert [one["embedding"] for one in data] == [[0.1, 0.2, 0.3]] * 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["gpt-4o", "llama-3.2-8b-instruct", "vllm/llama-3.2-8b"])
def test_an_unknown_name_is_answered_by_the_default_model_and_marked_and_counted(
    gateway: Gateway, caller: Caller, name: str, stream: bool
) -> None:
    counter = (
        'litellm_deployment_successful_fallbacks_total{exception_class="unknown-model",'
        'fallback_model="llama3.1:8b",requested_model="other"}'
    )
    before = gateway.metrics().get(counter, 0)
    said = caller.chat(name, stream=stream)
    assert (said.status, said.reason) == (200, "unknown-model")
    assert _asked(gateway.ollama) == [(CHAT, "llama3.1:8b")]
    # It is counted when the answer has left, which may be after it was read.
    caller.wait_until(lambda: gateway.metrics().get(counter, 0) > before, "it is counted")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"}),
        ("/v1/audio/speech", {"model": "tts-9", "input": "a", "voice": "alloy"}),
    ],
)
def test_an_unknown_name_never_gets_another_kind_of_answer(
    gateway: Gateway, caller: Caller, path: str, body: dict[str, object]
) -> None:
    """A chat model does not speak, and its vectors fit no other model's index."""
    said = caller.post(path, body)
    assert said.status == 404, said.answer.body
    assert str(body["model"]) in said.answer.body.decode()
    assert (_asked(gateway.engine), _asked(gateway.ollama)) == ([], [])


def test_the_list_of_models_holds_the_routes_and_no_wildcard(gateway: Gateway) -> None:
    from openai import OpenAI  # noqa: PLC0415

    with OpenAI(base_url=f"{gateway.proxy.url}/v1", api_key=Caller(gateway).key) as client:
        listed = {model.id for model in client.models.list()}
    assert listed == {route.name for route in gateway.plan.gateway.routes_in(3)}


@pytest.fixture(scope="module")
def rejecting(
    forge_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("rejecting")
    plan = plan_with(forge_settings, unknown_models="reject", metrics=False)
    with running_gateway(plan, folder) as gateway:
        yield gateway


def test_an_unknown_name_gets_a_404_where_the_config_says_so(rejecting: Gateway) -> None:
    caller = Caller(rejecting)
    assert caller.chat("llama3.1:8b").status == 200
    rejecting.ollama.seen.clear()
    said = caller.chat("gpt-4o")
    assert said.status == 404
    assert "gpt-4o" in said.answer.body.decode()
    assert rejecting.ollama.seen == []
