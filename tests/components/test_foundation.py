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
        if one.parent == foundation.urn and one is not namespace:
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
        "requests.nvidia.com/gpu",
        "pods",
    }
    assert cores(hard["requests.cpu"]) == pytest.approx(quota.cpu_request)
    assert gib(hard["requests.memory"]) == pytest.approx(quota.memory_request_gib)
    assert gib(hard["limits.memory"]) == pytest.approx(quota.memory_limit_gib)
    assert hard["requests.nvidia.com/gpu"] == str(quota.gpus)
    assert hard["pods"] == str(quota.pods)


@pytest.mark.parametrize("phase", PHASES)
def test_the_quota_has_room_for_every_pod_at_once_and_one_of_the_operators(
    registered: Record, phase: int
) -> None:
    """Surge, Jobs and CronJob with it: a quota of the steady sum would stall a rollout."""
    recorded = registered(phase=phase)
    hard = recorded.of_kind("ResourceQuota")[0].spec["hard"]
    limits = recorded.of_kind("LimitRange")[0].spec["limits"][0]
    # The gateway rolls to fewer routes before the pods behind the others have gone.
    all_pods = list(pods(registered(phase=4) if phase == 3 else recorded))

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
    assert int(hard["pods"]) == sum(pod.at_once for pod in all_pods) + 1


@pytest.mark.parametrize(("phase", "gpus"), [(1, "0"), (2, "1"), (3, "1")])
def test_no_gpu_may_be_claimed_before_the_engines_phase(
    registered: Record, phase: int, gpus: str
) -> None:
    hard = registered(phase=phase).of_kind("ResourceQuota")[0].spec["hard"]
    assert hard["requests.nvidia.com/gpu"] == gpus


def test_the_limit_range_sizes_pods_that_say_nothing_and_sets_no_cpu_limit(
    registered: Record,
) -> None:
    """The quota would forbid a pod without a size; a default CPU limit would slow it down."""
    (limits,) = registered().of_kind("LimitRange")[0].spec["limits"]
    assert limits["type"] == "Container"
    assert limits["default"].keys() == {"memory"}
    assert limits["defaultRequest"].keys() == {"cpu", "memory"}
