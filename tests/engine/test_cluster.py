"""The deployed stack as a real API server, scheduler and controllers see it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
import yaml

from tests.engine.conftest import Manifests
from tests.engine.stack_case import Json, StackCase
from tools.simforge import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

WAIT = "--timeout=60s"
RESTART_ACCOUNT = "litellm-restart-sa"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


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
        one["metadata"]["name"]: one["status"].get("readyReplicas", 0)
        for one in deployed.get("deployments")["items"]
    }
    assert ready == {
        "ollama": 1,
        "vllm-inference": 1,
        "litellm-proxy": 2,
        "speaches": 1,
        "coqui-tts": 0,  # in turn with the engine
    }
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


def test_every_pod_would_pass_the_restricted_standard(
    deployed: StackCase, manifests: Manifests
) -> None:
    """Baseline is enforced, as the runbooks' `kubectl run` needs it; the stack itself does not."""
    text = yaml.safe_dump_all(manifests("Pulumi.sim.yaml"))
    applied = deployed.kubectl("apply", "--dry-run=server", "-f=-", stdin=text)
    # It names the pods that are there and would not be let in again.
    label = ("label", "namespace", deployed.namespace, RESTRICTED, "--overwrite")
    enforced = deployed.kubectl(*label, "--dry-run=server")
    for done in (applied, enforced):
        assert done.returncode == 0, done.stderr
        assert "violate" not in done.stderr


def test_the_restricted_standard_warns_of_a_pod_that_falls_short(deployed: StackCase) -> None:
    """Else the silence above could be of a server that judges nothing."""
    done = deployed.kubectl("create", "--dry-run=server", "-f=-", stdin=json.dumps(gpu_pod("poor")))
    assert 'would violate PodSecurity "restricted' in done.stderr


def test_quota_refuses_a_port_of_the_node(deployed: StackCase) -> None:
    for kind in ("nodeport", "loadbalancer"):
        done = deployed.kubectl("create", "service", kind, "open", "--tcp=80:80")
        assert done.returncode != 0
        assert f"exceeded quota: synapse-quota, requested: services.{kind}s=1" in done.stderr


def test_pod_that_names_no_sizes_gets_some(deployed: StackCase) -> None:
    """Else the quota would refuse the `kubectl run` of the runbooks."""
    deployed.ask("run", "curl-test", "--image=curlimages/curl", "--restart=Never")
    (container,) = deployed.get("pod", "curl-test")["spec"]["containers"]
    deployed.ask("delete", "pod", "curl-test")
    assert container["resources"] == {
        "limits": {"memory": "256Mi", "ephemeral-storage": "256Mi"},
        "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "256Mi"},
    }


@pytest.fixture
def unending_jobs(deployed: StackCase) -> Iterator[None]:
    """Pods of Jobs run on, so that all of them are there at once, and none begins by the clock."""
    _suspend_restart(deployed, "true")
    apps = ("ollama-pull", "engine-pull", "speech-pull", "litellm-restart")
    for app in apps:
        deployed.forge.behave(app, Outcome.NEVER_READY)
    yield
    for app in apps:
        deployed.forge.behave(app, Outcome.READY)
    _suspend_restart(deployed, "false")


def _suspend_restart(deployed: StackCase, suspended: str) -> None:
    patch = f'--patch={{"spec":{{"suspend":{suspended}}}}}'
    deployed.ask("patch", "cronjob/litellm-restart", patch)


@pytest.mark.usefixtures("unending_jobs")
def test_quota_has_room_for_all_that_may_run_at_once(deployed: StackCase) -> None:
    """The surge of a rollout, all pull Jobs, the restart, and an operator's pod."""
    steady_pods = "--for=jsonpath={.status.used.pods}=5"
    deployed.ask("wait", "resourcequota/synapse-quota", steady_pods, WAIT)
    names = ["job/restart-now"]
    deployed.ask("create", "job", "restart-now", "--from=cronjob/litellm-restart")
    pulls = "--selector=app in (ollama-pull, engine-pull, speech-pull)"
    for job in deployed.get("jobs", pulls)["items"]:
        deployed.ask("create", "-f=-", stdin=json.dumps(once_more(job)))
        names.append(f"job/again-{job['metadata']['name']}")
    gateway = deployed.get("deployment", "litellm-proxy")["spec"]["template"]["spec"]
    pods = ["surge", "operator"]
    deployed.ask("create", "-f=-", stdin=json.dumps(pod_of("surge", **gateway)))
    deployed.ask("run", "operator", "--image=curlimages/curl", "--restart=Never")
    deployed.ask("wait", *names, "--for=jsonpath={.status.active}=1", WAIT)
    deployed.ask("wait", *(f"pod/{pod}" for pod in pods), "--for=condition=PodScheduled", WAIT)

    assert len(names) == 5
    quota = deployed.get("resourcequota", "synapse-quota")["status"]
    # Nothing is left over: the quota is the plan's peak, and not some larger number.
    assert quota["used"] == quota["hard"]
    deployed.ask("delete", "--cascade=foreground", *names, *(f"pod/{pod}" for pod in pods))


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


# --- who outlasts whom, and where


def test_the_gateway_outlasts_models_and_jobs_and_preempts_nobody(deployed: StackCase) -> None:
    admitted = {
        pod["metadata"]["labels"]["app"]: (pod["spec"]["priority"], pod["spec"]["preemptionPolicy"])
        for pod in deployed.get("pods")["items"]
    }
    admitted.setdefault("litellm-restart", (-1, "Never"))  # which is there at its hour only
    assert admitted == {
        "litellm": (1000, "Never"),
        "ollama": (0, "Never"),
        "vllm-inference": (0, "Never"),
        "speaches": (0, "Never"),
        "ollama-pull": (-1, "Never"),
        "engine-pull": (-1, "Never"),
        "speech-pull": (-1, "Never"),
        "litellm-restart": (-1, "Never"),
    }


@pytest.fixture
def second_node(deployed: StackCase) -> Iterator[str]:
    """A node without a GPU or a volume, beside the forge, until the test ends."""
    name, forge = "second", deployed.get("node", "forge")
    labels = {key: value for key, value in forge["metadata"]["labels"].items() if "gpu" not in key}
    metadata = {"name": name, "labels": labels | {"kubernetes.io/hostname": name}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
    deployed.ask("create", "-f=-", stdin=json.dumps(node))
    offered = {key: forge["status"]["capacity"][key] for key in OFFERED}
    status = json.dumps({"status": {"capacity": offered, "allocatable": offered}})
    deployed.ask("patch", "node", name, "--subresource=status", f"--patch={status}")
    deployed.ask("wait", f"node/{name}", "--for=condition=Ready", WAIT)
    yield name
    deployed.ask("cordon", name)
    roll_gateway(deployed)
    deployed.ask("delete", "node", name)


OFFERED = ("cpu", "memory", "ephemeral-storage", "pods")


def test_replicas_take_two_nodes_when_there_are_two_and_one_when_not(
    deployed: StackCase, second_node: str
) -> None:
    assert nodes_of_the_gateway(deployed) == ["forge", "forge"]
    for _ in range(3):  # each one replaces pods that are somewhere already
        roll_gateway(deployed)
        assert nodes_of_the_gateway(deployed) == ["forge", second_node]
    deployed.ask("cordon", second_node)
    roll_gateway(deployed)
    assert nodes_of_the_gateway(deployed) == ["forge", "forge"]


def roll_gateway(case: StackCase) -> None:
    """As `kubectl rollout restart` does, which refuses to do it twice in a second."""
    again = {"template": {"metadata": {"annotations": {"again": uuid4().hex}}}}
    case.ask("patch", "deployment", "litellm-proxy", f"--patch={json.dumps({'spec': again})}")
    case.ask("rollout", "status", "deployment/litellm-proxy", WAIT)


def nodes_of_the_gateway(case: StackCase) -> list[str]:
    return sorted(
        pod["spec"]["nodeName"]
        for pod in case.get("pods", "--selector=app=litellm")["items"]
        if "deletionTimestamp" not in pod["metadata"]
    )


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
