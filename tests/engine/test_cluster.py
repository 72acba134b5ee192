"""The deployed stack as a real API server, scheduler and controllers see it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
import yaml

from tests.engine.conftest import Manifests
from tests.engine.stack_case import Json, StackCase
from tools.simforge import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

WAIT = "--timeout=60s"
RESTART_ACCOUNT = "litellm-restart-sa"


# --- what was applied


def test_each_rendered_manifest_is_accepted_with_strict_field_validation(
    deployed: StackCase, manifests: Manifests
) -> None:
    rendered = manifests("Pulumi.sim.yaml")
    text = yaml.safe_dump_all(rendered)
    said = deployed.ask("apply", "--dry-run=server", "--validate=strict", "-f=-", stdin=text)
    assert len(said.splitlines()) == len(rendered)


def test_strict_field_validation_refuses_an_unknown_field(
    deployed: StackCase, manifests: Manifests
) -> None:
    service = next(one for one in manifests("Pulumi.sim.yaml") if one["kind"] == "Service")
    wrong = json.dumps({**service, "spec": {**service["spec"], "portz": []}})
    done = deployed.kubectl("apply", "--dry-run=server", "--validate=strict", "-f=-", stdin=wrong)
    assert done.returncode != 0
    assert 'unknown field "spec.portz"' in done.stderr


def test_all_pods_run_and_all_jobs_have_completed(deployed: StackCase) -> None:
    ready = {
        one["metadata"]["name"]: one["status"]["readyReplicas"]
        for one in deployed.get("deployments")["items"]
    }
    assert ready == {"ollama": 1, "vllm-inference": 1, "litellm-proxy": 2}
    assert all(one["status"]["succeeded"] == 1 for one in deployed.get("jobs")["items"])


# --- the GPU


def test_quota_refuses_a_second_gpu_pod(deployed: StackCase) -> None:
    done = deployed.kubectl("create", "-f=-", stdin=json.dumps(gpu_pod("second")))
    assert done.returncode != 0
    assert "exceeded quota: synapse-quota" in done.stderr
    assert "requests.nvidia.com/gpu=1" in done.stderr


def test_scheduler_has_no_place_for_a_second_gpu_pod(deployed: StackCase) -> None:
    """Where no quota stands in its way: in another namespace."""
    deployed.ask("create", "namespace", "elsewhere")
    elsewhere = "--namespace=elsewhere"
    deployed.ask("create", elsewhere, "-f=-", stdin=json.dumps(gpu_pod("second")))
    unplaced = "--for=condition=PodScheduled=false"
    deployed.ask("wait", elsewhere, "pod/second", unplaced, WAIT)
    pod = deployed.get("pod", "second", elsewhere)
    assert pod["status"]["phase"] == "Pending"
    (scheduled,) = (one for one in pod["status"]["conditions"] if one["type"] == "PodScheduled")
    assert scheduled["reason"] == "Unschedulable"
    assert "Insufficient nvidia.com/gpu" in scheduled["message"]


def gpu_pod(name: str) -> Json:
    gpu = {"nvidia.com/gpu": "1"}
    return pod_of(name, containers=[{"name": "main", "image": "x", "resources": {"limits": gpu}}])


def pod_of(name: str, **spec: object) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


# --- what the namespace admits


def test_pod_security_refuses_a_volume_of_the_node(deployed: StackCase) -> None:
    container = {"name": "main", "image": "x"}
    volume = {"name": "node", "hostPath": {"path": "/"}}
    pod = pod_of("of-the-node", containers=[container], volumes=[volume])
    done = deployed.kubectl("create", "-f=-", stdin=json.dumps(pod))
    assert done.returncode != 0
    assert 'violates PodSecurity "baseline' in done.stderr
    assert "hostPath" in done.stderr


def test_pod_that_names_no_sizes_gets_some(deployed: StackCase) -> None:
    """Else the quota would refuse the `kubectl run` of the runbooks."""
    deployed.ask("run", "curl-test", "--image=curlimages/curl", "--restart=Never")
    (container,) = deployed.get("pod", "curl-test")["spec"]["containers"]
    deployed.ask("delete", "pod", "curl-test")
    assert container["resources"] == {
        "limits": {"memory": "256Mi"},
        "requests": {"cpu": "50m", "memory": "64Mi"},
    }


@pytest.fixture
def unending_jobs(deployed: StackCase) -> Iterator[None]:
    """Pods of Jobs run on, so that all of them are there at once."""
    apps = ("ollama-pull", "engine-pull", "litellm-restart")
    for app in apps:
        deployed.forge.behave(app, Outcome.NEVER_READY)
    yield
    for app in apps:
        deployed.forge.behave(app, Outcome.READY)


@pytest.mark.usefixtures("unending_jobs")
def test_quota_has_room_for_all_that_may_run_at_once(deployed: StackCase) -> None:
    """The surge of a rollout, all pull Jobs, the restart, and an operator's pod."""
    steady_pods = "--for=jsonpath={.status.used.pods}=4"
    deployed.ask("wait", "resourcequota/synapse-quota", steady_pods, WAIT)
    names = ["job/restart-now"]
    deployed.ask("create", "job", "restart-now", "--from=cronjob/litellm-restart")
    for job in deployed.get("jobs", "--selector=app in (ollama-pull, engine-pull)")["items"]:
        deployed.ask("create", "-f=-", stdin=json.dumps(once_more(job)))
        names.append(f"job/again-{job['metadata']['name']}")
    gateway = deployed.get("deployment", "litellm-proxy")["spec"]["template"]["spec"]
    pods = ["surge", "operator"]
    deployed.ask("create", "-f=-", stdin=json.dumps(pod_of("surge", **gateway)))
    deployed.ask("run", "operator", "--image=curlimages/curl", "--restart=Never")
    deployed.ask("wait", *names, "--for=jsonpath={.status.active}=1", WAIT)
    deployed.ask("wait", *(f"pod/{pod}" for pod in pods), "--for=condition=PodScheduled", WAIT)

    assert len(names) == 4
    quota = deployed.get("resourcequota", "synapse-quota")["status"]
    # Nothing is left over: the quota is the plan's peak, and not some larger number.
    assert quota["used"] == quota["hard"]
    deployed.ask("delete", *names, *(f"pod/{pod}" for pod in pods))


def once_more(job: Json) -> Json:
    """The same Job under another name, without what the controller has written into it."""
    template = copy.deepcopy(job["spec"]["template"])
    own = ("app", "app.kubernetes.io/name", "app.kubernetes.io/part-of")
    labels = template["metadata"]["labels"]
    template["metadata"]["labels"] = {key: labels[key] for key in own}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"again-{job['metadata']['name']}"},
        "spec": {"backoffLimit": job["spec"]["backoffLimit"], "template": template},
    }


# --- the daily restart


def test_restart_account_can_run_the_cron_jobs_own_command(deployed: StackCase) -> None:
    before = generation(deployed)
    cron_job = deployed.get("cronjob", "litellm-restart")["spec"]["jobTemplate"]["spec"]
    pod = cron_job["template"]["spec"]
    assert pod["serviceAccountName"] == RESTART_ACCOUNT
    token = deployed.ask("create", "token", RESTART_ACCOUNT).strip()
    kubectl, *command = pod["containers"][0]["command"]
    assert kubectl == "kubectl"
    deployed.ask(f"--token={token}", *command)
    assert generation(deployed) == before + 1
    deployed.ask("rollout", "status", "deployment/litellm-proxy", WAIT)


@pytest.mark.parametrize(
    "forbidden",
    [
        "patch deployment/ollama",
        "patch deployment/vllm-inference",
        "delete deployment/litellm-proxy",
        "update deployment/litellm-proxy",
        "patch deployment/litellm-proxy --subresource=scale",
        "list deployments",
        "create deployments",
        "get secret/litellm-master-key",
        "list secrets",
        "list pods",
        "create pods",
        "create pods --subresource=exec",
        "get configmaps",
        "patch namespace/llm-infra",
        "patch deployment/litellm-proxy --namespace=default",
        "create rolebindings",
    ],
)
def test_restart_account_can_do_nothing_else(deployed: StackCase, forbidden: str) -> None:
    account = f"--as=system:serviceaccount:{deployed.namespace}:{RESTART_ACCOUNT}"
    done = deployed.kubectl("auth", "can-i", *forbidden.split(), account)
    assert done.stdout.strip() == "no"


def generation(case: StackCase) -> int:
    found: int = case.get("deployment", "litellm-proxy")["metadata"]["generation"]
    return found
