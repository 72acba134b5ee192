"""The console's commands on the real API server of the simulated forge."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from typer.testing import CliRunner, Result

from synapse.console.app import app
from tests.conftest import Kubectl
from tools.simforge import Outcome, SimForge

FORGE = Path(__file__).parents[2] / "Pulumi.forge.yaml"


class Stack:
    """A stack file for the simulated forge, in a namespace of its own."""

    def __init__(self, forge: SimForge, kubectl: Kubectl, folder: Path) -> None:
        self.namespace = f"console-{uuid4().hex[:8]}"
        self._kubectl, self._folder = kubectl, folder
        self._target = {"kind": "sim", "kubeconfig": str(forge.kubeconfig)}

    def run(self, *arguments: str, **changes: object) -> Result:
        document = yaml.safe_load(FORGE.read_text(encoding="utf-8"))
        keys = {"namespace": self.namespace, "target": self._target, "clients": [], **changes}
        document["config"] |= {f"synapse:{key}": value for key, value in keys.items()}
        config = self._folder / "Pulumi.test.yaml"
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        result = CliRunner().invoke(
            app, [*arguments, "--config", str(config)], env={**os.environ, "COLUMNS": "200"}
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    def apply(self, manifest: dict[str, object]) -> None:
        self._kubectl("apply", "-n", self.namespace, "-f", "-", stdin=json.dumps(manifest))

    def deploy(self, name: str, app: str) -> None:
        """A Deployment `name` and its Service, with an app label that no other test gives away."""
        labels = {"app": app}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container("main")]}}
        self.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            }
        )
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 11434}]},
            }
        )


def container(name: str) -> dict[str, object]:
    return {"name": name, "image": "registry.example/main:1"}


@pytest.fixture
def stack(simforge: SimForge, kubectl: Kubectl, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(simforge, kubectl, tmp_path)
    kubectl("create", "namespace", made.namespace)
    yield made
    kubectl("delete", "namespace", made.namespace, "--wait=false")


def pull_job(tag: str, app: str = "ollama-pull") -> dict[str, object]:
    pod = {"restartPolicy": "Never", "containers": [container("pull")]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "ollama-pull-llama3-1-8b",
            "labels": {"app": app},
            "annotations": {"synapse/model": tag},
        },
        "spec": {
            "backoffLimit": 0,
            "template": {"metadata": {"labels": {"app": app}}, "spec": pod},
        },
    }


def test_the_simulated_forge_passes_the_checks_of_phases_1_to_3(stack: Stack) -> None:
    result = stack.run("preflight", "--phase", "3", gateway_key={"secure": "v1:x"})
    assert result.exit_code == 0, result.output
    assert "NVIDIA-GeForce-RTX-5090" in result.output
    assert "196.0 GiB for pods" in result.output


def test_secrets_are_found_and_missed(stack: Stack, kubectl: Kubectl) -> None:
    kubectl("-n", stack.namespace, "create", "secret", "generic", "arunlabs-wildcard-tls")
    result = stack.run("preflight", "--phase", "3", gateway_key={"secure": "v1:x"})
    assert "warning pull-secret" in result.output
    assert "tls-secret:" not in result.output


def test_a_plan_larger_than_the_node_is_refused(stack: Stack) -> None:
    node = {"name": "forge", "cpus": 64, "memory_gib": 256}
    result = stack.run("preflight", node=node)
    assert result.exit_code == 1
    assert "set synapse:node.allocatable_memory_gib to 196" in result.output
    assert "set synapse:node.cpus to 32" in result.output


def test_a_running_old_service_stops_the_phase_that_does_not_count_it(
    stack: Stack, kubectl: Kubectl
) -> None:
    stack.deploy("old-engine", app=f"old-{stack.namespace}")
    old = {"name": "old-engine", "namespace": stack.namespace, "memory_gib": 4, "scaled_down_at": 2}
    assert stack.run("preflight", legacy=[old]).exit_code == 0
    result = stack.run("preflight", "--phase", "2", legacy=[old])
    assert result.exit_code == 1
    assert f"kubectl -n {stack.namespace} scale deployment/old-engine --replicas=0" in result.output
    kubectl("-n", stack.namespace, "scale", "deployment/old-engine", "--replicas=0")
    kubectl(
        "-n",
        stack.namespace,
        "wait",
        "deployment/old-engine",
        "--for=jsonpath={.status.observedGeneration}=2",
    )
    kubectl("-n", stack.namespace, "wait", "pods", "-l", "app", "--for=delete", "--timeout=30s")
    assert stack.run("preflight", "--phase", "2", legacy=[old]).exit_code == 0


def test_health_sees_pods_and_says_that_they_are_simulated(
    stack: Stack, simforge: SimForge, kubectl: Kubectl
) -> None:
    app_label = f"ollama-{stack.namespace}"
    simforge.behave(app_label, Outcome.NEVER_READY)
    stack.deploy("ollama", app=app_label)
    result = stack.run("health")
    assert result.exit_code == 1
    assert "0 of 1 ready" in result.output
    simforge.behave(app_label, Outcome.READY)
    kubectl("-n", stack.namespace, "rollout", "status", "deployment/ollama", "--timeout=60s")
    result = stack.run("health")
    assert result.exit_code == 0
    assert "1 of 1 ready" in result.output
    assert "no container runs here" in result.output


def test_the_api_servers_own_refusal_is_not_taken_for_an_answer(
    stack: Stack, simforge: SimForge
) -> None:
    stack.deploy("ollama", app=f"ollama-{stack.namespace}")
    result = stack.run("health", target={"kind": "cluster", "kubeconfig": str(simforge.kubeconfig)})
    assert result.exit_code == 1
    assert "no endpoints available for service" in result.output


def test_pull_makes_a_job_that_the_cluster_accepts_and_runs(stack: Stack, kubectl: Kubectl) -> None:
    stack.apply(pull_job("llama3.1:8b"))
    kubectl(
        "-n", stack.namespace, "wait", "job", "--all", "--for=condition=Complete", "--timeout=60s"
    )
    for _ in range(2):
        result = stack.run("pull", "llama3.1:8b")
        assert result.exit_code == 0, result.output
        assert "simulated: nothing was downloaded" in result.output
    names = kubectl("-n", stack.namespace, "get", "jobs", "-o", "name").split()
    assert len(names) == 3
    assert not [name for name in names if name.count("-again-") > 1]


def test_a_pull_that_fails_is_exit_1(stack: Stack, simforge: SimForge, kubectl: Kubectl) -> None:
    app_label = "ollama-pull"
    stack.apply(pull_job("llama3.1:8b", app_label))
    kubectl(
        "-n", stack.namespace, "wait", "job", "--all", "--for=condition=Complete", "--timeout=60s"
    )
    simforge.behave(app_label, Outcome.FAIL)
    result = stack.run("pull", "llama3.1:8b")
    assert result.exit_code == 1
    assert "llama3.1:8b: failed" in result.output


def test_credentials_without_rights_get_one_line(
    stack: Stack, simforge: SimForge, kubectl: Kubectl, tmp_path: Path
) -> None:
    token = kubectl("-n", stack.namespace, "create", "token", "default").strip()
    config = yaml.safe_load(simforge.kubeconfig.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "without-rights"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    result = stack.run("preflight", target={"kind": "sim", "kubeconfig": str(path)})
    assert result.exit_code == 1
    assert "is forbidden" in result.output
    assert "credentials that may do this" in result.output
