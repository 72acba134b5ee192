"""Rules that need no plan: they speak in anybody's program."""

import pytest

from tests.policy import forge
from tests.policy.forge import Json
from tests.policy.judge import judge_resource, said

POD = {"containers": [{"name": "a", "image": "a:1", "imagePullPolicy": "Never"}]}
INIT = {
    "containers": [{"name": "a", "image": "a:1"}],
    "initContainers": [{"name": "b", "image": "b:1", "imagePullPolicy": "Never"}],
}


@pytest.mark.parametrize("pod", [POD, INIT])
@pytest.mark.parametrize(
    ("token", "depth"),
    [
        ("core/v1:Pod", ("spec",)),
        ("apps/v1:Deployment", ("spec", "template", "spec")),
        ("apps/v1:DeploymentPatch", ("spec", "template", "spec")),
        ("apps/v1:StatefulSet", ("spec", "template", "spec")),
        ("apps/v1:DaemonSet", ("spec", "template", "spec")),
        ("batch/v1:Job", ("spec", "template", "spec")),
        ("batch/v1:CronJob", ("spec", "jobTemplate", "spec", "template", "spec")),
        ("monitoring.coreos.com/v1:Prometheus", ("spec",)),
    ],
)
def test_pull_policy_never_is_refused_wherever_it_stands(
    token: str, depth: tuple[str, ...], pod: Json
) -> None:
    made: Json = pod
    for key in reversed(depth):
        made = {key: made}
    found = judge_resource(f"kubernetes:{token}", made, below_root=False)
    assert "IfNotPresent" in said(found, "never-pull-never")


@pytest.mark.parametrize("policy", ["IfNotPresent", "Always", None])
def test_other_pull_policies_pass(policy: str | None) -> None:
    made = forge.gateway()
    made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = policy
    assert judge_resource("kubernetes:apps/v1:Deployment", made, below_root=False) == []


def test_what_is_not_kubernetes_passes() -> None:
    found = judge_resource("aws:ecs/task:Task", {"imagePullPolicy": "Never"}, below_root=False)
    assert found == []
