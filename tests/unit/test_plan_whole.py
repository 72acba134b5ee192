"""Routes, names and phases of the plan."""

from synapse import names
from synapse.plan import phases
from synapse.plan.model import WorkloadKind
from synapse.settings.load import parse
from synapse.settings.workloads import Engine
from tests.unit.stacks import forge, plan, plan_of


def test_public_names_go_to_the_engine_and_fall_back_to_ollama() -> None:
    gateway = plan().gateway
    routes = {route.name: route for route in gateway.routes}
    assert list(routes)[:3] == ["llama-3.2-8b", "llama3.2:3b", "llama3.1:8b"]
    assert routes["llama-3.2-8b"].backend == "engine"
    assert routes["llama-3.2-8b"].fallback == gateway.default_route == "llama3.1:8b"
    assert routes["llama-3.2-8b"].model in plan().engine.served_names
    assert {routes[tag].backend for tag in ("llama3.2:3b", "llama3.1:8b")} == {"ollama"}


def test_an_embedding_model_is_routed_as_one() -> None:
    models = ["llama3.1:8b", "nomic-embed-text"]
    routes = plan(ollama={"models": models}).gateway.routes_in(phases.GATEWAY)
    modes = {route.name: route.mode for route in routes}
    assert modes == {"llama-3.2-8b": "chat", "llama3.1:8b": "chat", "nomic-embed-text": "embedding"}


def test_every_fixed_name_is_kept_from_the_engine_s_service() -> None:
    made = plan()
    fixed = {
        one.name
        for one in made.workloads
        if one.kind is not WorkloadKind.LEGACY and one.name != made.engine.service
    }
    chosen = plan(speech={"tts": {"kind": "piper"}}, gpu={"device_plugin": "stack"}).workloads
    fixed |= {one.name for one in chosen if one.kind is not WorkloadKind.LEGACY}
    assert fixed - {made.engine.service} == set(names.ALL)


def test_workload_names_differ() -> None:
    found = [one.name for one in plan().workloads]
    assert len(found) == len(set(found))


def test_only_phases_1_to_4_are_built() -> None:
    assert [phase.built for phase in plan().phases] == [True, True, True, True, False, False]


def test_a_later_phase_s_refusal_does_not_refuse_an_earlier_one() -> None:
    made = plan(speech={"stt": {"memory_request_gib": 6, "memory_limit_gib": 90}})
    assert made.refusals(3) == ()
    assert made.refusals(4) != ()


def test_what_is_left_out_is_the_same_as_what_is_written() -> None:
    """The defaults of the settings are those that FORGE.md names."""
    config = forge(engine={"cpu_limit": None, "max_model_len": None})
    assert plan_of(config) == plan()
    assert Engine().service_name == parse(config).engine.service_name == "vllm-inference"
