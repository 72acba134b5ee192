"""The simulated forge: it starts, starts again, survives a crash, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.conftest import Kubectl
from tools.simforge import NODE_NAME, NodeSpec, Outcome, SimForge, SimForgeError
from tools.toolchain import Toolchain

REPOSITORY = Path(__file__).parents[2]
GONE_SECONDS = 20


def processes_of(forge: SimForge) -> list[psutil.Process]:
    return [found for item in forge.processes.values() if (found := item.running())]


def listeners_of(processes: list[psutil.Process]) -> set[str]:
    return {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


def deployment(name: str, **pod: object) -> str:
    labels = {"app": name}
    container = {"name": "main", "image": "registry.example/main:1", **pod}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container]},
                },
            },
        }
    )


def job(name: str) -> str:
    return json.dumps(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "main", "image": "registry.example/main:1"}],
                    },
                },
            },
        }
    )


def claim(name: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "200Gi"}},
            },
        }
    )


@pytest.fixture
def namespace(kubectl: Kubectl) -> str:
    name = f"test-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    return name


# --- one forge of its own: starting, crashing, stopping


def test_lifecycle(toolchain: Toolchain, tmp_path: Path) -> None:
    forge = SimForge(tmp_path / "forge", toolchain, NodeSpec(volume_count=1))
    with forge.lent() as kubeconfig:
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        first = processes_of(forge)
        assert len(first) == len(forge.processes)
        assert listeners_of(first) == {"127.0.0.1"}
        assert forge.status().ready

        # Started again while it runs: nothing changes.
        content = kubeconfig.read_text("utf-8")
        forge.start()
        assert processes_of(forge) == first

        # Half dead: started again with the same data, port and token.
        forge.api().call(
            "POST",
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}},
        )
        server = forge.processes["kube-apiserver"].running()
        assert server
        server.kill()
        server.wait(GONE_SECONDS)
        assert not forge.status().ready
        forge.start()
        assert forge.status().ready
        assert forge.api().call("GET", "/api/v1/namespaces/kept")
        assert kubeconfig.read_text("utf-8") == content

        last = processes_of(forge)
    _, alive = psutil.wait_procs([*first, *last], timeout=GONE_SECONDS)
    assert not alive
    assert not (tmp_path / "forge").exists()


def test_is_gone_when_its_borrower_is_killed(toolchain: Toolchain, tmp_path: Path) -> None:
    folder = tmp_path / "forge"
    script = f"""
from pathlib import Path
from rich.console import Console
from tools.simforge import SIMFORGE_PROGRAMS, NodeSpec, SimForge
from tools.toolchain import ensure
toolchain = ensure(SIMFORGE_PROGRAMS, Console(stderr=True))
with SimForge(Path({str(folder)!r}), toolchain, NodeSpec(volume_count=0)).lent():
    print("started", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as borrower:
        assert borrower.stdout
        assert borrower.stdout.readline() == "started\n"
        processes = processes_of(SimForge(folder, toolchain))
        assert len(processes) == 5
        os.kill(borrower.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=GONE_SECONDS)
    assert not alive


def test_stop_ends_no_process_that_it_did_not_start(toolchain: Toolchain, tmp_path: Path) -> None:
    forge = SimForge(tmp_path, toolchain)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        (tmp_path / "run").mkdir()
        record = {"pid": bystander.pid, "began": psutil.Process(bystander.pid).create_time() - 100}
        (tmp_path / "run" / "etcd.json").write_text(json.dumps(record), "utf-8")
        forge.stop()
        assert bystander.poll() is None
        bystander.communicate(b"\n")


# --- the shared forge: what its cluster is like


def test_node_and_its_surroundings(kubectl: Kubectl) -> None:
    node = json.loads(kubectl("get", "node", NODE_NAME, "-o", "json"))
    allocatable = node["status"]["allocatable"]
    assert (allocatable["cpu"], allocatable["memory"]) == ("32", "196Gi")
    assert allocatable["nvidia.com/gpu"] == "1"
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == NODE_NAME
    kubectl("get", "runtimeclass", "nvidia")
    kubectl("get", "crd", "ingressroutes.traefik.io", "middlewares.traefik.io")


def test_two_gpu_pods_do_not_fit_one_gpu(kubectl: Kubectl, namespace: str) -> None:
    gpu = {"limits": {"nvidia.com/gpu": "1"}}
    for name in ("first", "second"):
        kubectl("apply", "-n", namespace, "-f", "-", stdin=deployment(name, resources=gpu))
        if name == "first":
            kubectl("rollout", "status", "-n", namespace, "deployment/first", "--timeout=60s")
    kubectl(
        *("wait", "-n", namespace, "pod", "-l", "app=second", "--timeout=60s"),
        "--for=condition=PodScheduled=false",
    )
    pod = json.loads(kubectl("get", "pod", "-n", namespace, "-l", "app=second", "-o", "json"))
    (scheduled,) = [
        item for item in pod["items"][0]["status"]["conditions"] if item["type"] == "PodScheduled"
    ]
    assert "Insufficient nvidia.com/gpu" in scheduled["message"]


def test_claim_binds_when_used_and_keeps_its_identity(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=claim("models"))
    before = json.loads(kubectl("get", "pvc", "-n", namespace, "models", "-o", "json"))
    assert before["status"]["phase"] == "Pending"
    user = json.loads(deployment("user"))
    user["spec"]["template"]["spec"]["volumes"] = [
        {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    ]
    kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(user))
    kubectl("wait", "-n", namespace, "pvc/models", "--for=jsonpath={.status.phase}=Bound")
    kubectl("delete", "-n", namespace, "deployment", "user", "--wait=true")
    after = json.loads(kubectl("get", "pvc", "-n", namespace, "models", "-o", "json"))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["phase"] == "Bound"


CONTAINER = {"name": "main", "image": "x"}
TWO_GPUS = {"resources": {"limits": {"nvidia.com/gpu": "2"}}}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"hostNetwork": True, "containers": [CONTAINER]}, "baseline"),
        ({"containers": [CONTAINER | TWO_GPUS]}, "exceeded quota"),
    ],
    ids=["pod-security", "quota"],
)
def test_admission_refuses_as_a_real_cluster_does(
    simforge: SimForge, kubectl: Kubectl, namespace: str, spec: dict[str, object], reason: str
) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline")
    kubectl("create", "quota", "-n", namespace, "quota", "--hard=requests.nvidia.com/gpu=1")
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "refused"},
        "spec": spec,
    }
    with pytest.raises(SimForgeError, match=reason):
        simforge.api().call("POST", f"/api/v1/namespaces/{namespace}/pods", manifest)


# --- pods that misbehave

NEVER_READY = '{.status.conditions[?(@.type=="Ready")].message}=simulated: never-ready'
CRASH_LOOP = "{.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff"


@pytest.mark.parametrize(
    ("outcome", "sign"),
    [
        (Outcome.NEVER_READY, NEVER_READY),
        (Outcome.CRASH_LOOP, CRASH_LOOP),
    ],
    ids=["never-ready", "crash-loop"],
)
def test_outcome_of_new_and_old_pods_and_back(
    simforge: SimForge, kubectl: Kubectl, namespace: str, outcome: Outcome, sign: str
) -> None:
    def wait_for(what: str) -> None:
        kubectl("wait", "-n", namespace, "pod", "-l", "app=web", f"--for={what}", "--timeout=60s")

    simforge.behave("web", outcome)
    kubectl("apply", "-n", namespace, "-f", "-", stdin=deployment("web"))
    kubectl(
        *("wait", "-n", namespace, "deployment/web", "--timeout=60s"),
        "--for=jsonpath={.status.unavailableReplicas}=1",
    )
    wait_for(f"jsonpath={sign}")

    simforge.behave("web", Outcome.READY)
    kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")

    simforge.behave("web", outcome)  # the pod that was ready
    wait_for(f"jsonpath={sign}")


def test_job_fails_and_succeeds(simforge: SimForge, kubectl: Kubectl, namespace: str) -> None:
    simforge.behave("pull", Outcome.FAIL)
    kubectl("apply", "-n", namespace, "-f", "-", stdin=job("pull"))
    kubectl("wait", "-n", namespace, "job/pull", "--for=condition=Failed", "--timeout=60s")
    kubectl("delete", "-n", namespace, "job/pull", "--wait=true")

    simforge.behave("pull", Outcome.READY)
    kubectl("apply", "-n", namespace, "-f", "-", stdin=job("pull"))
    kubectl("wait", "-n", namespace, "job/pull", "--for=condition=Complete", "--timeout=60s")
