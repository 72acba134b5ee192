"""RAM, CPU, quota and disk of each phase."""

from itertools import pairwise

import pytest

from synapse.plan import phases
from tests.unit.stacks import CONCURRENT, plan, verdict, verdicts


def test_limits_over_the_node_are_refused_with_the_limit_that_is_left() -> None:
    made = plan(ollama={"memory_gib": 110})
    refused = [one for one in verdicts(made, "ram-limits") if not one.fits]
    assert [one.phases for one in refused] == [(3,), (4,), (5,), (6,)]
    assert "ollama 110.0" in refused[2].sum and "system 27.0 = 210.0 > 196.0" in refused[2].sum
    assert refused[2].cure == "lower ollama.memory_gib to 96.0 or another memory limit"
    healed = plan(ollama={"memory_gib": 96})
    assert all(one.fits for one in verdicts(healed, "ram-limits"))


def test_planned_use_is_held_against_its_fraction_of_the_node() -> None:
    made = plan(node={"ram_budget_fraction": 0.4})
    refused = [one for one in verdicts(made, "ram-planned") if not one.fits]
    assert refused and all("> 78.4 GiB" in one.sum and one.cure for one in refused)


def test_requests_are_held_against_what_the_kubelet_offers() -> None:
    made = plan(node={"allocatable_memory_gib": 60})
    refused = [one for one in verdicts(made, "ram-requests") if not one.fits]
    assert refused and all("> 60.0 GiB" in one.sum and one.cure for one in refused)


def test_cpu_requests_are_held_against_the_cores() -> None:
    assert all(one.fits for one in verdicts(plan(node={"cpus": 25.85}), "cpu-requests"))
    refused = [one for one in verdicts(plan(node={"cpus": 20}), "cpu-requests") if not one.fits]
    assert refused and all("> 20 cores" in one.sum and one.cure for one in refused)


def test_the_quota_has_room_for_surge_jobs_and_the_cron_job() -> None:
    made = plan()
    gateway, ollama = made.workload("litellm-proxy"), made.workload("ollama")
    assert (gateway.replicas, gateway.surge) == (2, 1)
    quota = made.phase_plan(4).quota
    # ollama, two pulls, kubectl run, engine, its pull, three replicas, the restart, speaches, pull
    assert quota.pods == 1 + 2 + 1 + 1 + 1 + 3 + 1 + 1 + 1
    jobs = ("ollama-pull", "engine-pull", "speech-pull", "kubectl-run", "litellm-restart")
    small = sum(
        made.workload(name).pod.memory_limit_gib * made.workload(name).pods for name in jobs
    )
    assert quota.memory_limit_gib == pytest.approx(
        ollama.pod.memory_limit_gib + 32 + 3 * gateway.pod.memory_limit_gib + 16 + small
    )
    assert [made.phase_plan(number).quota.gpus for number in (1, 2, 6)] == [0, 1, 1]
    assert plan(gpu=CONCURRENT).phase_plan(4).quota.gpus == 2


def test_the_quota_is_of_the_namespace_alone() -> None:
    quotas = [one.quota.memory_limit_gib for one in plan().phases]
    assert quotas == [one.quota.memory_limit_gib for one in plan(legacy=[]).phases]
    assert plan().phase_plan(4).quota == plan().phase_plan(5).quota, "monitoring has its own"


def test_the_quota_of_a_lower_phase_has_room_for_what_a_rollback_takes_down_last() -> None:
    built = [plan().phase_plan(one.number).quota for one in phases.PHASES if one.built]
    assert [quota.gpus for quota in built] == [0, 1, 1, 1], (
        "but for GPUs, which only the engine asks"
    )
    assert len({quota.model_copy(update={"gpus": 0}) for quota in built}) == 1


def test_the_quota_bounds_what_pods_write_on_the_nodes_disk() -> None:
    made = plan()
    services = ("ollama", "vllm-inference", "litellm-proxy", "speaches")  # Coqui has its turn
    jobs = ("ollama-pull", "engine-pull", "kubectl-run", "litellm-restart", "speech-pull")
    assert made.phase_plan(4).quota.ephemeral_storage_gib == pytest.approx(
        sum(
            made.workload(name).pod.ephemeral_storage_gib * made.workload(name).pods
            for name in (*services, *jobs)
        )
    )


def test_quotas_never_shrink_with_the_phase() -> None:
    quotas = [phase.quota for phase in plan().phases]
    for before, after in pairwise(quotas):
        assert before.memory_limit_gib <= after.memory_limit_gib
        assert before.cpu_request <= after.cpu_request
        assert before.pods <= after.pods


def test_files_have_to_fit_their_volume_with_headroom() -> None:
    made = plan(ollama={"volume_gib": 8})
    found = verdict(made, "disk-volume", "'ollama-models'")
    assert not found.fits and "> 6.4 GiB (80 % of 8)" in found.sum
    assert found.cure == "raise the volume's size or pull fewer models"
    assert verdict(plan(ollama={"volume_gib": 9}), "disk-volume", "ollama").fits
    assert not verdict(plan(engine={"cache_volume_gib": 6}), "disk-volume", "huggingface").fits


def test_all_claims_have_to_fit_the_node_s_disk() -> None:
    found = verdict(plan(node={"storage_gib": 300}), "disk-node")
    assert not found.fits and found.cure
    assert found.sum.endswith("= 330.0 > 300.0 GiB")
    assert verdict(plan(node={"storage_gib": 330}), "disk-node").fits
