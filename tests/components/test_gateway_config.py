"""The plan's routes as LiteLLM's config file: the generator alone, which is pure."""

import hashlib
from typing import Any

import pytest
import yaml

from synapse.components.gateway_config import (
    GatewayConfig,
    content_name,
    gateway_config,
    rendered,
)
from synapse.plan.model import Plan
from tests.components.conftest import Planner

OLLAMA = "http://ollama.llm-infra.svc.cluster.local:11434"
ENGINE = "http://vllm-inference.llm-infra.svc.cluster.local:8000/v1"
EMBEDDING = "nomic-embed-text"
WITH_EMBEDDING = {"models": ["llama3.2:3b", "llama3.1:8b", EMBEDDING], "max_loaded_models": 3}


@pytest.fixture
def planned(planned: Planner) -> Planner:
    """Chat alone: what speech adds has tests of its own."""

    def at_the_gateways_phase(*, phase: int = 3, **overrides: Any) -> Plan:
        return planned(phase=phase, **overrides)

    return at_the_gateways_phase


def _entries(config: GatewayConfig) -> dict[str, tuple[str, str]]:
    """Each public name with its model and its address; a name that stands twice is an error."""
    listed = config["model_list"]
    entries = {
        one["model_name"]: (one["litellm_params"]["model"], one["litellm_params"]["api_base"])
        for one in listed
    }
    assert len(entries) == len(listed)
    return entries


def test_the_routes_of_the_forge(planned: Planner) -> None:
    assert _entries(gateway_config(planned())) == {
        "llama-3.2-8b": ("hosted_vllm/llama-3.2-8b", ENGINE),
        "llama3.2:3b": ("ollama_chat/llama3.2:3b", OLLAMA),
        "llama3.1:8b": ("ollama_chat/llama3.1:8b", OLLAMA),
        "*": ("ollama_chat/llama3.1:8b", OLLAMA),
    }


def test_the_engine_is_called_by_a_name_that_it_answers_to(planned: Planner) -> None:
    plan = planned()
    model, _ = _entries(gateway_config(plan))["llama-3.2-8b"]
    assert model.removeprefix("hosted_vllm/") in plan.engine.served_names


def test_every_engine_route_falls_back_to_ollamas_default_model(planned: Planner) -> None:
    routes = [{"name": name, "backend": "engine"} for name in ("llama-3.2-8b", "fast")]
    config = gateway_config(planned(gateway={"routes": routes}))
    assert config["router_settings"]["fallbacks"] == [
        {"llama-3.2-8b": ["llama3.1:8b"]},
        {"fast": ["llama3.1:8b"]},
    ]


def test_a_fallback_is_itself_a_route(planned: Planner) -> None:
    config = gateway_config(planned())
    fallbacks = config["router_settings"]["fallbacks"]
    assert isinstance(fallbacks, list)
    targets = {target for one in fallbacks for targets in one.values() for target in targets}
    assert targets <= _entries(config).keys()


def test_a_dead_engine_is_not_asked_twice_by_one_request(planned: Planner) -> None:
    """`allowed_fails` has to be set: LiteLLM's own default never cools a lone deployment down."""
    router = gateway_config(planned())["router_settings"]
    assert router["num_retries"] == 0
    assert router["allowed_fails"] == 0


def test_unknown_names_are_rejected_where_the_config_says_so(planned: Planner) -> None:
    config = gateway_config(planned(gateway={"unknown_models": "reject"}))
    assert not [name for name in _entries(config) if "*" in name]
    assert "default_fallbacks" not in {**config["router_settings"], **config["litellm_settings"]}


def test_unknown_names_go_to_whatever_the_default_model_is(planned: Planner) -> None:
    config = gateway_config(planned(ollama={"default_model": "llama3.2:3b"}))
    assert _entries(config)["*"] == ("ollama_chat/llama3.2:3b", OLLAMA)
    assert config["router_settings"]["fallbacks"] == [{"llama-3.2-8b": ["llama3.2:3b"]}]


def test_every_model_that_ollama_pulls_has_a_route_of_its_name(planned: Planner) -> None:
    plan = planned(ollama=WITH_EMBEDDING)
    assert {model.tag for model in plan.ollama.models} <= _entries(gateway_config(plan)).keys()


def test_embeddings_go_by_the_provider_that_has_them(planned: Planner) -> None:
    """`ollama_chat` answers them with 400."""
    config = gateway_config(planned(ollama=WITH_EMBEDDING))
    assert _entries(config)[EMBEDDING] == (f"ollama/{EMBEDDING}", OLLAMA)
    modes = {one["model_name"]: one["model_info"]["mode"] for one in config["model_list"]}
    assert modes == {
        "llama-3.2-8b": "chat",
        "llama3.2:3b": "chat",
        "llama3.1:8b": "chat",
        "*": "chat",
        EMBEDDING: "embedding",
    }


def test_a_public_name_of_an_embedding_model_goes_by_that_provider_too(planned: Planner) -> None:
    routes = [{"name": "text-embedding", "backend": "ollama", "model": EMBEDDING}]
    config = gateway_config(planned(ollama=WITH_EMBEDDING, gateway={"routes": routes}))
    assert _entries(config)["text-embedding"] == (f"ollama/{EMBEDDING}", OLLAMA)


def test_addresses_follow_the_namespace_and_the_engines_service(planned: Planner) -> None:
    plan = planned(namespace="models", engine={"service_name": "chat"}, clients=[])
    addresses = {address for _, address in _entries(gateway_config(plan)).values()}
    assert addresses == {
        "http://chat.models.svc.cluster.local:8000/v1",
        "http://ollama.models.svc.cluster.local:11434",
    }


def test_no_tokenizer_is_fetched(planned: Planner) -> None:
    """Offline, the fetch freezes the whole process for 20 s at the first streamed answer."""
    assert gateway_config(planned())["litellm_settings"]["disable_hf_tokenizer_download"] is True


def test_the_key_is_named_and_not_written(planned: Planner) -> None:
    general = gateway_config(planned())["general_settings"]
    assert general["master_key"] == "os.environ/LITELLM_MASTER_KEY"


@pytest.mark.parametrize("overrides", [{}, {"ollama": WITH_EMBEDDING}])
def test_the_file_reads_back_as_what_was_meant(planned: Planner, overrides: dict[str, Any]) -> None:
    config = gateway_config(planned(**overrides))
    assert yaml.safe_load(rendered(config)) == config
    assert "&id" not in rendered(config), "YAML anchors in a file that people read"


def test_the_same_plan_gives_the_same_file(planned: Planner) -> None:
    assert rendered(gateway_config(planned())) == rendered(gateway_config(planned()))


def test_the_phase_is_not_in_the_file(planned: Planner) -> None:
    assert gateway_config(planned(phase=3)) == gateway_config(planned(phase=1))


def test_a_name_follows_its_content() -> None:
    assert content_name("a", "x") == f"a-{hashlib.sha256(b'x').hexdigest()[:10]}"
    assert content_name("a", "x") != content_name("a", "y")
