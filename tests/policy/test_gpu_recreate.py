"""Rollouts on the GPU."""

from typing import Any

import pytest

from tests.policy.changes import Json
from tests.policy.rule_case import ENGINE, UNKNOWN, anybodys, ours, pod, replace, workload

RULE = "gpu-recreate"


def on_gpu(kind: str = "Deployment", claim: str = "nvidia.com/gpu", **spec: Any) -> Json:
    return workload(kind, pod({"image": "a:1", "resources": {"limits": {claim: "1"}}}), **spec)


def rolling(surge: object = None) -> Json:
    update = {} if surge is None else {"maxSurge": surge, "maxUnavailable": 1}
    return {"type": "RollingUpdate", "rollingUpdate": update}


@pytest.mark.parametrize("surge", [None, 1, "25%", "1%"])
def test_a_rollout_that_wants_a_second_gpu_is_refused(surge: object) -> None:
    message = anybodys(RULE, on_gpu(strategy=rolling(surge)))
    assert "Deployment 'it'" in message
    assert "strategy.type to Recreate" in message
    assert ours(RULE, replace(ENGINE, "spec/strategy", rolling(surge)))


@pytest.mark.parametrize("strategy", [{"type": "Recreate"}, rolling(0), rolling("0%")])
def test_a_rollout_that_ends_the_old_pod_first_passes(strategy: Json) -> None:
    assert anybodys(RULE, on_gpu(strategy=strategy)) == ""
    assert ours(RULE, replace(ENGINE, "spec/strategy", strategy)) == ""


def test_no_strategy_is_a_rolling_one() -> None:
    assert anybodys(RULE, on_gpu())
    assert anybodys(RULE, on_gpu(replicas=0))


@pytest.mark.parametrize("claim", ["nvidia.com/gpu.shared", "nvidia.com/mig-1g.10gb"])
def test_a_shared_or_a_sliced_gpu_is_one(claim: str) -> None:
    assert anybodys(RULE, on_gpu(claim=claim))


def test_what_has_no_gpu_may_roll() -> None:
    assert anybodys(RULE, workload("Deployment", pod({"image": "a:1"}))) == ""


@pytest.mark.parametrize("kind", ["StatefulSet", "Job", "CronJob", "Pod"])
def test_kinds_that_never_have_two_of_the_same_pass(kind: str) -> None:
    assert anybodys(RULE, on_gpu(kind)) == ""


def test_a_daemon_set_may_surge_too() -> None:
    assert anybodys(RULE, on_gpu("DaemonSet")) == ""
    surging = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    assert "maxSurge to 0" in anybodys(RULE, on_gpu("DaemonSet", updateStrategy=surging))


def test_a_patch_counts_where_it_says_how_to_roll() -> None:
    patch = {"kind": "DeploymentPatch"}
    assert anybodys(RULE, on_gpu() | patch) == ""
    assert anybodys(RULE, on_gpu(strategy=rolling(1)) | patch)


def test_an_unknown_claim_is_refused_unless_the_strategy_tells() -> None:
    unknown = pod({"image": "a:1", "resources": UNKNOWN})
    assert "can't be known" in anybodys(RULE, workload("Deployment", unknown))
    assert anybodys(RULE, workload("Deployment", unknown, strategy={"type": "Recreate"})) == ""
