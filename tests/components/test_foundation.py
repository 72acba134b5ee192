"""What is there in every phase: namespace, budgets, the claims, and that nothing reaches them."""

import math

import pytest

from tests.components.conftest import Planner, Record
from tests.components.pods import cores, gib, pods

PHASES = (1, 2, 3, 4)


@pytest.mark.parametrize("phase", PHASES)
def test_namespace_and_claims_are_protected_and_retained(registered: Record, phase: int) -> None:
    recorded = registered(phase=phase)
    lasting = [*recorded.of_kind("Namespace"), *recorded.of_kind("PersistentVolumeClaim")]
    assert len(lasting) == 4
    for one in lasting:
        assert one.protected, one.urn
        assert one.retained_on_delete, one.urn


def test_nothing_else_is_protected_or_retained(registered: Record) -> None:
    """A rollback has to be able to take it down."""
    kept = {one.kind for one in registered().resources if one.protected or one.retained_on_delete}
    assert kept == {"Namespace", "PersistentVolumeClaim"}


def test_all_claims_are_the_same_in_every_phase(registered: Record) -> None:
    first, *others = (
        {one.urn: one.inputs for one in registered(phase=phase).of_kind("PersistentVolumeClaim")}
        for phase in PHASES
    )
    assert all(other == first for other in others)


def test_claims_of_the_forge(registered: Record, planned: Planner) -> None:
    claims = registered().of_kind("PersistentVolumeClaim")
    sizes = {one.object_name: gib(one.spec["resources"]["requests"]["storage"]) for one in claims}
    assert sizes["ollama-models"] == 200
    assert sizes == {one.claim: one.size_gib for one in planned().volumes}
    for one in claims:
        assert one.spec["accessModes"] == ["ReadWriteOnce"]
        assert one.spec["storageClassName"] == "local-path"


def test_every_claim_that_a_pod_mounts_exists(registered: Record) -> None:
    recorded = registered()
    claims = {one.object_name for one in recorded.of_kind("PersistentVolumeClaim")}
    for pod in pods(recorded):
        assert pod.claims.keys() <= claims, pod.name


def test_no_component_of_a_phase_owns_a_claim(registered: Record) -> None:
    recorded = registered()
    for one in recorded.of_kind("PersistentVolumeClaim"):
        parent = recorded.parent_of(one)
        assert parent is not None
        assert parent.kind == "Foundation"


def test_all_within_the_namespace_is_made_after_it(registered: Record) -> None:
    recorded = registered()
    namespace = recorded.of_kind("Namespace")[0]
    foundation = recorded.of_kind("Foundation")[0]
    for one in recorded.objects:
        if one.parent == foundation.urn and "namespace" in one.inputs["metadata"]:
            assert namespace.urn in one.depends_on, one.urn


def test_pod_security_enforces_baseline_and_warns_of_less_than_restricted(
    registered: Record,
) -> None:
    namespace = registered().object("Namespace", "llm-infra")
    prefix = "pod-security.kubernetes.io/"
    assert {
        key.removeprefix(prefix): level
        for key, level in namespace.labels.items()
        if key.startswith(prefix)
    } == {"enforce": "baseline", "warn": "restricted", "audit": "restricted"}


# ---- budgets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
def test_the_quota_is_the_plans(registered: Record, planned: Planner, phase: int) -> None:
    hard = registered(phase=phase).of_kind("ResourceQuota")[0].spec["hard"]
    quota = planned(phase=phase).phase_plan(phase).quota
    assert hard.keys() == {
        "requests.cpu",
        "requests.memory",
        "limits.memory",
        "requests.ephemeral-storage",
        "limits.ephemeral-storage",
        "requests.nvidia.com/gpu",
        "pods",
        "services.nodeports",
        "services.loadbalancers",
    }
    assert cores(hard["requests.cpu"]) == pytest.approx(quota.cpu_request)
    assert gib(hard["requests.memory"]) == pytest.approx(quota.memory_request_gib)
    assert gib(hard["limits.memory"]) == pytest.approx(quota.memory_limit_gib)
    for kind in ("requests", "limits"):
        assert gib(hard[f"{kind}.ephemeral-storage"]) == pytest.approx(quota.ephemeral_storage_gib)
    assert hard["requests.nvidia.com/gpu"] == str(quota.gpus)
    assert hard["pods"] == str(quota.pods)


@pytest.mark.parametrize("phase", PHASES)
def test_the_quota_has_room_for_every_pod_at_once_and_one_of_the_operators(
    registered: Record, phase: int
) -> None:
    """Surge, Jobs and CronJob with it: a quota of the steady sum would stall a rollout.

    In a lower phase, too: what a rollback leaves is updated while the rest is still there.
    """
    recorded = registered(phase=phase)
    hard = recorded.of_kind("ResourceQuota")[0].spec["hard"]
    limits = recorded.of_kind("LimitRange")[0].spec["limits"][0]
    all_pods = list(pods(registered(phase=PHASES[-1])))

    def needed(kind: str, what: str, operators_pod: str) -> float:
        read = cores if what == "cpu" else gib
        return read(operators_pod) + math.fsum(
            read(pod.container["resources"][kind][what]) * pod.at_once for pod in all_pods
        )

    assert gib(hard["limits.memory"]) == pytest.approx(
        needed("limits", "memory", limits["default"]["memory"])
    )
    assert gib(hard["requests.memory"]) == pytest.approx(
        needed("requests", "memory", limits["defaultRequest"]["memory"])
    )
    assert cores(hard["requests.cpu"]) == pytest.approx(
        needed("requests", "cpu", limits["defaultRequest"]["cpu"])
    )
    assert gib(hard["limits.ephemeral-storage"]) == pytest.approx(
        needed("limits", "ephemeral-storage", limits["default"]["ephemeral-storage"])
    )
    assert int(hard["pods"]) == sum(pod.at_once for pod in all_pods) + 1


@pytest.mark.parametrize(("phase", "gpus"), [(1, "0"), (2, "1"), (3, "1")])
def test_no_gpu_may_be_claimed_before_the_engines_phase(
    registered: Record, phase: int, gpus: str
) -> None:
    hard = registered(phase=phase).of_kind("ResourceQuota")[0].spec["hard"]
    assert hard["requests.nvidia.com/gpu"] == gpus


def test_the_quota_lets_no_service_out_of_the_cluster(registered: Record) -> None:
    hard = registered().of_kind("ResourceQuota")[0].spec["hard"]
    assert (hard["services.nodeports"], hard["services.loadbalancers"]) == ("0", "0")


def test_the_limit_range_sizes_pods_that_say_nothing_and_sets_no_cpu_limit(
    registered: Record,
) -> None:
    """The quota would forbid a pod without a size; a default CPU limit would slow it down."""
    (limits,) = registered().of_kind("LimitRange")[0].spec["limits"]
    assert limits["type"] == "Container"
    assert limits["default"].keys() == {"memory", "ephemeral-storage"}
    assert limits["defaultRequest"].keys() == {"cpu", "memory", "ephemeral-storage"}


# ---- priorities --------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
def test_the_gateway_outlasts_the_models_and_those_outlast_what_can_be_done_again(
    registered: Record, phase: int
) -> None:
    values = {
        one.object_name: one.inputs["value"]
        for one in registered(phase=phase).of_kind("PriorityClass")
    }
    assert sorted(values, key=values.__getitem__) == [
        "llm-infra-jobs",
        "llm-infra-models",
        "llm-infra-gateway",
    ]
    assert values["llm-infra-models"] == 0, "as other people's pods on the node"


def test_nobody_preempts_and_no_class_is_the_clusters_default(registered: Record) -> None:
    for one in registered().of_kind("PriorityClass"):
        assert one.inputs["preemptionPolicy"] == "Never", one.object_name
        assert not one.inputs.get("globalDefault"), one.object_name


def test_two_stacks_on_one_cluster_have_classes_of_their_own(registered: Record) -> None:
    names = [
        {one.object_name for one in recorded.of_kind("PriorityClass")}
        for recorded in (registered(), registered(namespace="another"))
    ]
    assert not set.intersection(*names)


def test_every_pod_has_a_class_that_is_there_before_it(registered: Record) -> None:
    """The API server refuses a pod whose class it does not know; all phases wait for this one."""
    recorded = registered()
    foundation = recorded.of_kind("Foundation")[0]
    classes = {one.object_name: one.parent for one in recorded.of_kind("PriorityClass")}
    for pod in pods(recorded):
        assert classes[pod.spec["priorityClassName"]] == foundation.urn, pod.name
