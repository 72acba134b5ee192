"""Each check of `preflight`, green on a cluster that is ready and red on one fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from synapse.catalogue import load_catalogue
from synapse.gates.preflight import INGRESS_ROUTES, Finding, preflight
from synapse.gates.snapshot import ClusterSnapshot, NodeSeen
from synapse.plan.build import make_plan
from synapse.settings.load import parse, without_prefix

FORGE = Path(__file__).parents[2] / "Pulumi.forge.yaml"
NODE = NodeSeen(
    name="forge",
    ready=True,
    cpus=32,
    memory_gib=195.9,
    gpus=1,
    gpu_product="NVIDIA-GeForce-RTX-5090",
    storage_gib=1800,
)
READY = ClusterSnapshot(
    version="v1.35.8+k3s1",
    nodes=(NODE,),
    storage_classes=frozenset({"local-path"}),
    runtime_classes=frozenset({"nvidia"}),
    custom_resources=frozenset({INGRESS_ROUTES}),
    namespace_exists=True,
    secrets=frozenset({"arunlabs-wildcard-tls", "arunlabs-registry"}),
    replicas={"vllm/vllm": 0, "tts/tts-inference": 1, "openvoice/openvoice": 1},
)
SET = {"secure": "v1:…"}


def findings(
    snapshot: ClusterSnapshot = READY, phase: int = 3, **changes: object
) -> dict[str, list[Finding]]:
    config = without_prefix(yaml.safe_load(FORGE.read_text(encoding="utf-8"))["config"])
    wanted = config | {"phase": phase, "gateway_key": SET} | changes
    settings = parse({key: value for key, value in wanted.items() if value is not None})
    by_name: dict[str, list[Finding]] = {}
    for one in preflight(settings, make_plan(settings, load_catalogue()), snapshot):
        by_name.setdefault(one.name, []).append(one)
    return by_name


def only(found: dict[str, list[Finding]], name: str) -> Finding:
    [one] = found[name]
    return one


def with_node(node: NodeSeen) -> ClusterSnapshot:
    return replace(READY, nodes=(node,))


def test_ready_forge_passes_every_check_of_phases_1_to_3() -> None:
    found = findings()
    assert [one for checks in found.values() for one in checks if not one.ok] == []
    assert set(found) == {
        "kubernetes-version",
        "node",
        "node-cores",
        "node-memory",
        "node-storage",
        "storage-class",
        "gpu",
        "gpu-model",
        "runtime-class",
        "hf-token",
        "traefik",
        "tls-secret",
        "pull-secret",
        "gpu-is-with-chat",
        "legacy",
    }


RED: list[tuple[str, ClusterSnapshot, dict[str, object], str]] = [
    ("kubernetes-version", replace(READY, version="v1.25.9"), {}, "1.26"),
    ("kubernetes-version", replace(READY, version="unknown"), {}, "1.26"),
    ("node", replace(READY, nodes=()), {}, "node.name"),
    ("node", with_node(replace(NODE, ready=False)), {}, "uncordon"),
    ("node-cores", with_node(replace(NODE, cpus=24.0)), {}, "node.cpus to 24"),
    ("node-cores", with_node(replace(NODE, cpus=4.0)), {}, "8 cores or more"),
    (
        "node-memory",
        with_node(replace(NODE, memory_gib=188.3)),
        {},
        "allocatable_memory_gib to 188",
    ),
    ("node-memory", with_node(replace(NODE, memory_gib=31.0)), {}, "64 GiB of RAM"),
    ("storage-class", replace(READY, storage_classes=frozenset()), {}, "storage_class"),
    ("gpu", with_node(replace(NODE, gpus=0)), {}, "device plugin"),
    (
        "gpu-model",
        with_node(replace(NODE, gpu_product="NVIDIA-GeForce-RTX-4090")),
        {},
        "gpu.model to rtx-4090",
    ),
    ("runtime-class", replace(READY, runtime_classes=frozenset()), {}, "runtime_class"),
    ("traefik", replace(READY, custom_resources=frozenset()), {}, "CRDs"),
    ("tls-secret", replace(READY, secrets=frozenset()), {}, "create secret tls"),
    ("pull-secret", replace(READY, secrets=frozenset()), {}, "docker-registry"),
]


@pytest.mark.parametrize(("name", "snapshot", "changes", "cure"), RED)
def test_one_fault_is_refused_by_its_own_check_with_the_cure(
    name: str, snapshot: ClusterSnapshot, changes: dict[str, object], cure: str
) -> None:
    one = only(findings(snapshot, 3, **changes), name)
    assert one.refused
    assert cure in one.cure
    assert one.seen
    assert one.wanted


def test_gated_weights_need_a_token() -> None:
    gated = {"model": "llama-3.1-8b", "weights": "bf16"}
    engine = {"memory_request_gib": 20, "memory_limit_gib": 32, **gated}
    assert only(findings(engine=engine), "hf-token").refused
    assert only(findings(engine=engine, hf_token=SET), "hf-token").ok


def test_the_old_engine_must_be_gone_before_phase_2_and_not_before() -> None:
    old_runs = replace(READY, replicas={"vllm/vllm": 1})
    assert "legacy" not in findings(old_runs, phase=1)
    one = only(findings(old_runs, phase=2), "legacy")
    assert one.refused
    assert one.cure == "`kubectl -n vllm scale deployment/vllm --replicas=0`"
    assert only(findings(replace(READY, replicas={}), phase=2), "legacy").ok


def test_a_service_scaled_down_from_the_start_is_looked_at_in_phase_1() -> None:
    old = [{"name": "old", "namespace": "old", "memory_gib": 1, "scaled_down_at": 1}]
    snapshot = replace(READY, replicas={"old/old": 2})
    assert only(findings(snapshot, phase=1, legacy=old), "legacy").refused
    retired = [{**old[0], "retired_on": "2026-11-01"}]
    assert "legacy" in findings(snapshot, phase=1, legacy=retired)


def test_gpu_and_gateway_are_not_asked_for_in_phase_1() -> None:
    bare = replace(
        with_node(replace(NODE, gpus=0, gpu_product=None)),
        runtime_classes=frozenset(),
        custom_resources=frozenset(),
        secrets=frozenset(),
    )
    found = findings(bare, phase=1, gateway_key=None)
    assert [one for checks in found.values() for one in checks if one.refused] == []
    assert only(found, "pull-secret").severity == "warn"
    assert not {"gpu", "runtime-class", "traefik", "tls-secret"} & set(found)


def test_secrets_are_a_warning_while_their_namespace_is_not_there() -> None:
    found = findings(replace(READY, namespace_exists=False, secrets=frozenset()))
    for name in ("tls-secret", "pull-secret"):
        one = only(found, name)
        assert not one.ok
        assert not one.refused
        assert "nor is the namespace" in one.seen


def test_secrets_are_a_warning_where_pods_are_simulated() -> None:
    target = {"kind": "sim", "kubeconfig": "somewhere"}
    one = only(findings(replace(READY, secrets=frozenset()), target=target), "pull-secret")
    assert not one.ok
    assert not one.refused


def test_the_only_node_may_have_another_name_and_of_several_one_must_be_named() -> None:
    other = replace(NODE, name="box")
    one = only(findings(replace(READY, nodes=(other,))), "node")
    assert not one.ok
    assert not one.refused
    assert one.cure == "set synapse:node.name to box"
    two = replace(READY, nodes=(other, replace(NODE, name="box-2")))
    found = findings(two)
    assert only(found, "node").refused
    assert "node-memory" not in found
    assert only(findings(replace(two, nodes=(*two.nodes, NODE))), "node").ok


def test_sharing_needs_the_gpu_twice() -> None:
    gpu = {"model": "rtx-5090", "budget_gib": 30, "sharing": "concurrent"}
    one = only(findings(gpu=gpu), "gpu")
    assert one.refused
    assert "timeSlicing replicas of the NVIDIA device plugin to 2" in one.cure
    assert only(findings(with_node(replace(NODE, gpus=2)), gpu=gpu), "gpu").ok
    shared = with_node(replace(NODE, gpus=2, gpu_product="NVIDIA-GeForce-RTX-5090-SHARED"))
    assert only(findings(shared, gpu=gpu), "gpu-model").ok


def test_a_label_that_nobody_knows_and_a_small_disk_are_warnings() -> None:
    found = findings(with_node(replace(NODE, gpu_product="NVIDIA-Nobody-Knows", storage_gib=100.0)))
    for name in ("gpu-model", "node-storage"):
        one = only(found, name)
        assert not one.ok
        assert not one.refused


def test_a_node_that_reports_no_disk_and_no_label_is_not_judged_by_them() -> None:
    found = findings(with_node(replace(NODE, gpu_product=None, storage_gib=None)))
    assert not {"gpu-model", "node-storage"} & set(found)


def test_ollama_behind_its_own_host_needs_traefik_in_phase_1() -> None:
    ollama = {"models": ["llama3.1:8b"], "ingress_host": "ollama.arunlabs.com"}
    bare = replace(READY, custom_resources=frozenset())
    assert only(findings(bare, phase=1, ollama=ollama), "traefik").refused


def test_leaving_speech_while_it_has_the_gpu_is_refused() -> None:
    """Pulumi leaves the engine's replicas to the swap, so they would stay 0."""
    away = replace(READY, engine_replicas=0)
    found = only(findings(away, phase=3), "gpu-is-with-chat")
    assert found.refused and "synapse swap chat" in found.cure
    acknowledged = {"tts": {"licence_acknowledged": {"by": "me", "date": "2026-11-22"}}}
    for snapshot, phase, changes in (
        (away, 4, {"speech": acknowledged}),
        (replace(READY, engine_replicas=1), 3, {}),
        (READY, 3, {}),
    ):
        assert only(findings(snapshot, phase, **changes), "gpu-is-with-chat").ok
    assert only(findings(away, phase=4), "gpu-is-with-chat").refused, "no speech on the GPU here"
    assert "gpu-is-with-chat" not in findings(away, phase=1)
