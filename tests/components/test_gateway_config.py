"""The plan's routes as LiteLLM's config file: the generator alone, which is pure."""

import ast
import hashlib
import json
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from synapse.components.gateway_config import (
    config_files,
    content_name,
    gateway_config,
    inside_files,
    rendered,
    routes_told,
)
from synapse.components.gateway_file import GatewayFile, RoutesFile
from synapse.plan.model import Plan
from tests.components.conftest import Planner

OLLAMA = "http://ollama.llm-infra.svc.cluster.local:11434/v1"
ENGINE = "http://vllm-inference.llm-infra.svc.cluster.local:8000/v1"
EMBEDDING = "nomic-embed-text"
WITH_EMBEDDING = {"models": ["llama3.2:3b", "llama3.1:8b", EMBEDDING], "max_loaded_models": 3}


@pytest.fixture
def planned(planned: Planner) -> Planner:
    """Chat alone: what speech adds has tests of its own."""

    def at_the_gateways_phase(*, phase: int = 3, **overrides: Any) -> Plan:
        return planned(phase=phase, **overrides)

    return at_the_gateways_phase


def _entries(config: GatewayFile) -> dict[str, tuple[str, str]]:
    """Each public name with its model and its address; a name that stands twice is an error."""
    listed = config.model_list
    entries = {
        one.model_name: (one.litellm_params.model, one.litellm_params.api_base) for one in listed
    }
    assert len(entries) == len(listed)
    return entries


def test_the_routes_of_the_forge(planned: Planner) -> None:
    assert _entries(gateway_config(planned())) == {
        "llama-3.2-8b": ("hosted_vllm/llama-3.2-8b", ENGINE),
        "llama3.2:3b": ("hosted_vllm/llama3.2:3b", OLLAMA),
        "llama3.1:8b": ("hosted_vllm/llama3.1:8b", OLLAMA),
    }


def test_the_engine_is_called_by_a_name_that_it_answers_to(planned: Planner) -> None:
    plan = planned()
    model, _ = _entries(gateway_config(plan))["llama-3.2-8b"]
    assert model.removeprefix("hosted_vllm/") in plan.engine.served_names


def test_every_engine_route_falls_back_to_ollamas_default_model(planned: Planner) -> None:
    routes = [{"name": name, "backend": "engine"} for name in ("llama-3.2-8b", "fast")]
    told = routes_told(planned(gateway={"routes": routes}))
    assert told.engine_fallbacks == {"llama-3.2-8b": "llama3.1:8b", "fast": "llama3.1:8b"}


def test_a_dead_engine_is_not_asked_twice_by_one_request(planned: Planner) -> None:
    assert gateway_config(planned()).router_settings.num_retries == 0


def test_ollama_is_never_left_out(planned: Planner) -> None:
    """A cooldown of the last resort, for one missing model, would answer all others with 429."""
    assert gateway_config(planned()).router_settings.disable_cooldowns


@pytest.mark.parametrize("policy", ["fallback", "reject"])
def test_no_wildcard_answers_a_name_that_nobody_knows(planned: Planner, policy: str) -> None:
    plan = planned(gateway={"unknown_models": policy})
    assert "*" not in rendered(gateway_config(plan))
    assert routes_told(plan).unknown_models == policy


def test_unknown_names_go_to_whatever_the_default_model_is(planned: Planner) -> None:
    plan = planned(ollama={"default_model": "llama3.2:3b"})
    assert routes_told(plan).default_route == "llama3.2:3b"
    assert routes_told(plan).engine_fallbacks == {"llama-3.2-8b": "llama3.2:3b"}


def test_what_is_told_inside_is_what_the_code_inside_reads() -> None:
    """Its class cannot be imported here: the package around it is the proxy's."""
    (told,) = (
        node
        for node in ast.parse(inside_files()["told.py"]).body
        if isinstance(node, ast.ClassDef) and node.name == "Told"
    )
    fields = {ast.unparse(one.target) for one in told.body if isinstance(one, ast.AnnAssign)}
    assert fields == set(RoutesFile.model_fields)


def test_every_model_that_ollama_pulls_has_a_route_of_its_name(planned: Planner) -> None:
    plan = planned(ollama=WITH_EMBEDDING)
    assert {model.tag for model in plan.ollama.models} <= _entries(gateway_config(plan)).keys()


def test_embeddings_are_routes_of_their_own_kind(planned: Planner) -> None:
    config = gateway_config(planned(ollama=WITH_EMBEDDING))
    assert _entries(config)[EMBEDDING] == (f"hosted_vllm/{EMBEDDING}", OLLAMA)
    modes = {one.model_name: one.model_info.mode for one in config.model_list}
    assert modes == {
        "llama-3.2-8b": "chat",
        "llama3.2:3b": "chat",
        "llama3.1:8b": "chat",
        EMBEDDING: "embedding",
    }


def test_a_public_name_of_an_embedding_model_is_one_too(planned: Planner) -> None:
    routes = [{"name": "text-embedding", "backend": "ollama", "model": EMBEDDING}]
    config = gateway_config(planned(ollama=WITH_EMBEDDING, gateway={"routes": routes}))
    assert _entries(config)["text-embedding"] == (f"hosted_vllm/{EMBEDDING}", OLLAMA)


def test_addresses_follow_the_namespace_and_the_engines_service(planned: Planner) -> None:
    plan = planned(namespace="models", engine={"service_name": "chat"}, clients=[])
    addresses = {address for _, address in _entries(gateway_config(plan)).values()}
    assert addresses == {
        "http://chat.models.svc.cluster.local:8000/v1",
        "http://ollama.models.svc.cluster.local:11434/v1",
    }


def test_no_tokenizer_is_fetched(planned: Planner) -> None:
    """Offline, the fetch freezes the whole process for 20 s at the first streamed answer."""
    assert gateway_config(planned()).litellm_settings.disable_hf_tokenizer_download


def test_the_key_is_named_and_not_written(planned: Planner) -> None:
    general = gateway_config(planned()).general_settings
    assert general.master_key == "os.environ/LITELLM_MASTER_KEY"


@pytest.mark.parametrize("overrides", [{}, {"ollama": WITH_EMBEDDING}])
def test_the_file_reads_back_as_what_was_meant(planned: Planner, overrides: dict[str, Any]) -> None:
    config = gateway_config(planned(**overrides))
    read = json.dumps(yaml.safe_load(rendered(config)))
    assert GatewayFile.model_validate_json(read) == config
    assert "&id" not in rendered(config), "YAML anchors in a file that people read"


def test_the_same_plan_gives_the_same_file(planned: Planner) -> None:
    assert rendered(gateway_config(planned())) == rendered(gateway_config(planned()))


def test_the_phase_is_not_in_the_file(planned: Planner) -> None:
    assert gateway_config(planned(phase=3)) == gateway_config(planned(phase=1))


# ---- what cannot be written ---------------------------------------------------------------------


def _broken(planned: Planner, **changes: Any) -> str:
    """What is said of a plan whose first route is changed."""
    plan = planned(ollama=WITH_EMBEDDING)
    first, *others = plan.gateway.routes
    changed = first.model_copy(update=changes)
    gateway = plan.gateway.model_copy(update={"routes": (changed, *others)})
    with pytest.raises(ValueError, match=r".") as refused:
        config_files(plan.model_copy(update={"gateway": gateway}))
    return str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fallback": "gone"}, "falls back to gone, which is no route"),
        ({"fallback": "llama-3.2-8b"}, "which the engine answers, too"),
        ({"fallback": EMBEDDING}, f"falls back to {EMBEDDING}, which is no chat"),
        ({"name": "llama3.1:8b", "fallback": None}, "llama3.1:8b twice"),
        ({"name": "*", "fallback": None}, "model_name"),
        ({"name": "", "fallback": None}, "model_name"),
        ({"mode": "audio_speech"}, "does not serve audio_speech"),
    ],
)
def test_a_route_that_leads_to_nobody_is_not_deployed(
    planned: Planner, changes: dict[str, Any], said: str
) -> None:
    assert said in _broken(planned, **changes)


def test_a_default_model_that_does_not_chat_is_not_deployed(planned: Planner) -> None:
    plan = planned(ollama=WITH_EMBEDDING)
    gateway = plan.gateway.model_copy(update={"default_route": EMBEDDING})
    with pytest.raises(ValueError, match="is no chat route"):
        config_files(plan.model_copy(update={"gateway": gateway}))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("router_settings", "num_retires", 0),
        ("router_settings", "num_retries", "lots"),
        ("router_settings", "fallbacks", [{"llama-3.2-8b": ["gone"]}]),
        ("router_settings", "timeout", "600"),
        ("litellm_settings", "drop_parms", True),
        ("general_settings", "master_key", "sk-in-the-clear"),
        ("routing_settings", "timeout", 1),
    ],
)
def test_a_key_that_we_do_not_mean(planned: Planner, section: str, key: str, value: object) -> None:
    """The proxy itself lets each of these pass, or starts and warns."""
    file = gateway_config(planned()).model_dump(mode="json")
    file.setdefault(section, {})[key] = value
    with pytest.raises(ValidationError):
        GatewayFile.model_validate_json(json.dumps(file))


def test_a_name_follows_its_content() -> None:
    assert content_name("a", "x") == f"a-{hashlib.sha256(b'x').hexdigest()[:10]}"
    assert content_name("a", "x") != content_name("a", "y")
