"""Requests and limits."""

from typing import Any

import pytest

from tests.policy.changes import Json
from tests.policy.rule_case import ENGINE, UNKNOWN, anybodys, ours, pod, remove, replace, workload

NEEDED, WANTED = "resources-set", "cpu-limit-set"
FULL: Json = {
    "requests": {"cpu": "1", "memory": "1Gi"},
    "limits": {"cpu": "2", "memory": "2Gi"},
}


def sized(resources: Any, kind: str = "Deployment", **spec: Any) -> Json:
    return workload(kind, pod({"image": "a:1", "resources": resources}, **spec))


def test_our_own_pods_say_all() -> None:
    assert ours(NEEDED) == ours(WANTED) == ""


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("limits/memory", NEEDED),
        ("limits/cpu", WANTED),
    ],
)
def test_a_missing_limit_is_named(path: str, rule: str) -> None:
    message = ours(rule, remove(ENGINE, f"container/resources/{path}"))
    assert f"'vllm' of Deployment 'vllm-inference' has no resources.{path.replace('/', '.')}" in (
        message
    )


@pytest.mark.parametrize(
    "at", ["Deployment/litellm-proxy", "Job/engine-pull", "CronJob/litellm-restart"]
)
def test_every_kind_of_ours_counts(at: str) -> None:
    assert "requests.cpu" in ours(NEEDED, replace(at, "container/resources", {}))


@pytest.mark.parametrize("what", ["cpu", "memory"])
def test_a_request_defaults_to_the_limit(what: str) -> None:
    requests = {key: value for key, value in FULL["requests"].items() if key != what}
    assert anybodys(NEEDED, sized(FULL | {"requests": requests})) == ""
    limits = {key: value for key, value in FULL["limits"].items() if key != what}
    message = anybodys(NEEDED, sized({"requests": requests, "limits": limits}))
    assert f"requests.{what}" in message


def test_nothing_is_not_enough() -> None:
    message = anybodys(NEEDED, sized(None))
    assert "requests.cpu" in message
    assert "requests.memory" in message
    assert "limits.memory" in message


@pytest.mark.parametrize("zero", ["0", "0Gi"])
def test_a_limit_of_nothing_is_none(zero: str) -> None:
    limits = FULL["limits"] | {"memory": zero}
    assert "limits.memory" in anybodys(NEEDED, sized(FULL | {"limits": limits}))


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"])
def test_every_kind_and_init_containers_count(kind: str) -> None:
    assert anybodys(NEEDED, sized(FULL, kind)) == ""
    init = [{"name": "first", "image": "a:1"}]
    assert "'first'" in anybodys(NEEDED, sized(FULL, kind, initContainers=init))


def test_what_a_pod_has_as_a_whole_its_containers_have() -> None:
    made = workload("Deployment", pod({"image": "a:1"}, resources=FULL))
    assert anybodys(NEEDED, made) == ""


def test_a_patch_and_containers_for_debugging_pass() -> None:
    assert anybodys(NEEDED, sized(None) | {"kind": "DeploymentPatch"}) == ""
    debug = [{"name": "debug", "image": "a:1"}]
    assert anybodys(NEEDED, sized(FULL, ephemeralContainers=debug)) == ""


@pytest.mark.parametrize("unknown", [UNKNOWN, {"limits": UNKNOWN}])
def test_unknown_sizes_are_refused(unknown: Any) -> None:
    assert "can't be known" in anybodys(NEEDED, sized(unknown))


def test_what_is_no_quantity_is_refused() -> None:
    limits = FULL["limits"] | {"memory": "2GB"}
    assert "no Kubernetes quantity" in anybodys(NEEDED, sized(FULL | {"limits": limits}))
