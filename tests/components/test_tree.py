"""One root, typed components below it, and phases that only ever add."""

import re

import pytest

from tests.components.conftest import Planner, Record
from tests.components.recorder import UNKNOWN, Recorded, Registered, leaves

ROOT = "synapse:stack:Synapse"
BUILT_PHASES = (1, 2, 3, 4)
OF_THE_CLUSTER = {"Namespace", "PriorityClass"}
THE_SWAPS = ("vllm-inference", "coqui-tts")
PHASES = ("Ollama", "Engine", "Gateway", "Speech")


@pytest.fixture(params=[False, True], ids=["update", "preview"])
def preview(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def _components(recorded: Recorded) -> list[Registered]:
    return [one for one in recorded.resources if one.type.startswith("synapse:")]


def test_every_resource_is_a_descendant_of_the_root(registered: Record, preview: bool) -> None:
    recorded = registered(preview=preview)
    roots = [one for one in recorded.resources if "pulumi:pulumi:Stack::" in one.parent]
    assert [one.type for one in roots] == [ROOT]
    for one in recorded.resources:
        assert one is roots[0] or roots[0] in recorded.ancestry(one), one.urn


def test_the_root_carries_claims_of_the_plan_as_a_plain_input(
    registered: Record, planned: Planner, preview: bool
) -> None:
    root = registered(preview=preview).of_kind("Synapse")[0]
    (claims,) = root.inputs.values()
    whole = planned().model_dump(mode="json")
    without_lines = [
        {key: value for key, value in one.items() if key != "lines"} for one in whole["ram"]
    ]
    assert claims.items() < {**whole, "ram": without_lines}.items()


def test_component_types_are_named_by_their_room(registered: Record) -> None:
    assert {one.type for one in _components(registered())} == {
        ROOT,
        "synapse:foundation:Foundation",
        "synapse:ollama:Ollama",
        "synapse:engine:Engine",
        "synapse:gateway:Gateway",
        "synapse:gateway:Restart",
        "synapse:edge:HttpsRoute",
        "synapse:speech:Speech",
    }


def test_every_object_stands_below_a_component_and_uses_the_explicit_provider(
    registered: Record,
) -> None:
    recorded = registered()
    provider = recorded.of_kind("kubernetes")[0]
    for one in recorded.objects:
        parent = recorded.parent_of(one)
        assert parent is not None
        assert parent in _components(recorded), one.urn
        assert parent.type != ROOT, one.urn
        assert one.provider.startswith(f"{provider.urn}::"), one.urn


def test_names_of_resources_are_unique_within_their_type(registered: Record) -> None:
    urns = [one.urn for one in registered().resources]
    assert len(urns) == len(set(urns))


def test_every_object_has_an_explicit_name_in_the_stacks_namespace(registered: Record) -> None:
    for one in registered().objects:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", one.object_name), one.urn
        if one.kind not in OF_THE_CLUSTER:
            assert one.inputs["metadata"]["namespace"] == "llm-infra", one.urn


def test_what_is_of_the_whole_cluster_bears_the_namespaces_name(registered: Record) -> None:
    """Else a second stack on the cluster would have the same."""
    for one in registered().objects:
        if one.kind in OF_THE_CLUSTER:
            assert one.object_name.startswith("llm-infra"), one.urn
            assert "namespace" not in one.inputs["metadata"], one.urn


def test_nothing_is_aliased_or_exempt_from_changes(registered: Record) -> None:
    for one in registered().resources:
        assert one.aliases == (), one.urn
        owned = one.kind == "Deployment" and one.object_name in THE_SWAPS
        assert one.ignored_changes == (("spec.replicas",) if owned else ()), one.urn


def test_a_preview_shows_what_an_update_registers_and_nothing_is_unknown(
    registered: Record,
) -> None:
    update, preview = registered(), registered(preview=True)
    assert _inputs(preview) == _inputs(update)
    for one in preview.resources:
        assert [path for path, value in leaves(one.inputs) if value is UNKNOWN] == [], one.urn


def _inputs(recorded: Recorded) -> dict[str, object]:
    return {one.urn: one.inputs for one in recorded.resources}


@pytest.mark.parametrize(("phase", "changes"), [(1, {"ResourceQuota"}), (2, set())])
def test_a_higher_phase_adds_and_changes_nothing_below_but_the_quota(
    registered: Record, phase: int, changes: set[str]
) -> None:
    """The quota opens for the GPU; other sums have room for all built phases from the first on."""
    lower, higher = _inputs(registered(phase=phase)), _inputs(registered(phase=phase + 1))
    assert lower.keys() < higher.keys()
    changed = {urn for urn, inputs in lower.items() if higher[urn] != inputs}
    kinds = {urn.rpartition("::")[0].rpartition(":")[2] for urn in changed}
    assert kinds == {"Synapse"} | changes


def test_speech_changes_below_it_the_gateways_config_alone(registered: Record) -> None:
    """The names of voices are routed when there is somebody to answer them."""
    lower, higher = _inputs(registered(phase=3)), _inputs(registered(phase=4))
    assert lower.keys() < higher.keys()
    changed = {urn for urn, inputs in lower.items() if higher[urn] != inputs}
    names = {urn.rpartition("::")[2] for urn in changed}
    assert names == {"synapse", "gateway-config", "gateway-deployment"}


@pytest.mark.parametrize("phase", BUILT_PHASES)
def test_options_below_a_phase_do_not_depend_on_it(registered: Record, phase: int) -> None:
    """Protection, timeouts and order of what is there already stay as they are."""
    whole = {one.urn: one for one in registered().resources}
    for one in registered(phase=phase).resources:
        same = whole[one.urn]
        assert (one.protected, one.retained_on_delete) == (
            same.protected,
            same.retained_on_delete,
        )
        assert one.created_within == same.created_within
        assert set(one.depends_on) == set(same.depends_on), one.urn


@pytest.mark.parametrize(
    ("phase", "components"),
    [
        (1, {"Foundation", "Ollama"}),
        (2, {"Foundation", "Ollama", "Engine"}),
        (3, {"Foundation", "Ollama", "Engine", "Gateway"}),
        (4, {"Foundation", "Ollama", "Engine", "Gateway", "Speech"}),
    ],
)
def test_phases_are_cumulative(registered: Record, phase: int, components: set[str]) -> None:
    recorded = registered(phase=phase)
    root = recorded.of_kind("Synapse")[0]
    stacks = {one.kind for one in _components(recorded) if one.parent == root.urn}
    assert stacks - {"HttpsRoute"} == components


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Ollama", "Engine"),
        ("Engine", "Gateway"),
        ("Gateway", "Speech"),
    ],
)
def test_the_servers_of_a_phase_wait_for_all_of_the_one_before(
    registered: Record, earlier: str, later: str
) -> None:
    """And so they are taken down before it."""
    recorded = registered()
    before = [one for one in recorded.objects if earlier in _above(recorded, one)]
    servers = [one for one in recorded.of_kind("Deployment") if later in _above(recorded, one)]
    assert before
    assert servers
    for server in servers:
        assert {one.urn for one in before} <= set(server.depends_on), server.urn


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_waits_for_the_foundation(registered: Record, phase: str) -> None:
    recorded = registered()
    awaited = set(recorded.of_kind(phase)[0].depends_on)
    for one in recorded.objects:
        if "Foundation" in _above(recorded, one):
            assert one.urn in awaited, f"{phase} does not wait for {one.urn}"


def test_what_is_no_server_waits_for_no_phase_below(registered: Record) -> None:
    """Weights are downloaded while the phases below come up."""
    recorded = registered()
    within = {one.urn: _above(recorded, one) for one in recorded.objects}
    for one in recorded.objects:
        if one.kind != "Deployment":
            elsewhere = [
                urn
                for urn in one.depends_on
                if urn in within and not within[urn] & within[one.urn] & {*PHASES, "Foundation"}
            ]
            assert elsewhere == [], one.urn


def test_in_a_preview_no_phase_waits_for_another(registered: Record) -> None:
    recorded = registered(preview=True)
    for phase in PHASES:
        assert recorded.of_kind(phase)[0].depends_on == ()
    for server in recorded.of_kind("Deployment"):
        for urn in server.depends_on:
            other = next(one for one in recorded.resources if one.urn == urn)
            shared = _above(recorded, other) & _above(recorded, server)
            assert shared & set(PHASES), server.urn


def _above(recorded: Recorded, resource: Registered) -> set[str]:
    """Kinds of the components that a resource stands below."""
    return {one.kind for one in recorded.ancestry(resource)}


@pytest.mark.parametrize("phase", BUILT_PHASES)
def test_what_is_exported_is_plain_and_grows_with_the_phase(registered: Record, phase: int) -> None:
    endpoints = {
        "ollama": "http://ollama.llm-infra.svc.cluster.local:11434",
        "engine": "http://vllm-inference.llm-infra.svc.cluster.local:8000",
        "gateway": "http://litellm-proxy.llm-infra.svc.cluster.local:8000",
        "public": "https://synapse.arunlabs.com",
        "speech": "http://speaches.llm-infra.svc.cluster.local:8000",
    }
    known = {1: ["ollama"], 2: ["ollama", "engine"], 3: list(endpoints)[:4], 4: list(endpoints)}[
        phase
    ]
    assert registered(phase=phase).outputs == {
        "phase": phase,
        "target": "cluster",
        "endpoints": {name: endpoints[name] for name in known},
    }
