"""`preflight` against a stand-in for an API server: the snapshot is read, the verdict printed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.api_stand_in import status
from tests.unit.console_case import ConsoleCase, console_case


@pytest.fixture
def case(tmp_path: Path) -> Iterator[ConsoleCase]:
    with console_case(tmp_path) as made:
        yield made


def be_ready(case: ConsoleCase) -> None:
    capacity = {
        "cpu": "32",
        "memory": "205414400Ki",
        "nvidia.com/gpu": "1",
        "ephemeral-storage": "1843Gi",
    }
    node = {
        "metadata": {"name": "forge"},
        "status": {
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    case.api.has("/version", {"gitVersion": "v1.35.8+k3s1"})
    case.api.has("/api/v1/nodes", {"metadata": {}, "items": [node]})
    for path in (
        "/apis/storage.k8s.io/v1/storageclasses/local-path",
        "/apis/node.k8s.io/v1/runtimeclasses/nvidia",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ingressroutes.traefik.io",
        "/api/v1/namespaces/llm-infra",
        "/api/v1/namespaces/llm-infra/secrets/arunlabs-registry",
    ):
        case.api.has(path, {"kind": "PartialObjectMetadata"})


def test_a_ready_cluster_is_said_to_be_ready(case: ConsoleCase) -> None:
    be_ready(case)
    result = case.run("preflight")
    assert result.exit_code == 0, result.output
    assert "ready" in result.output
    assert "195.9 GiB for pods" in result.output


def test_a_missing_secret_and_a_running_old_engine_stop_phase_2(case: ConsoleCase) -> None:
    be_ready(case)
    del case.api.answers["/api/v1/namespaces/llm-infra/secrets/arunlabs-registry"]
    case.api.deployment("vllm", ready=1, namespace="vllm")
    result = case.run("preflight", "--phase", "2")
    assert result.exit_code == 1
    assert "kubectl -n vllm scale deployment/vllm --replicas=0" in result.output
    assert "create secret docker-registry arunlabs-registry" in result.output
    assert "not ready: 2 of" in result.output


def test_a_pod_on_its_way_out_still_counts(case: ConsoleCase) -> None:
    be_ready(case)
    case.api.deployment("vllm", ready=1, namespace="vllm")
    _, body = case.api.answers["/apis/apps/v1/namespaces/vllm/deployments/vllm"]
    assert not isinstance(body, str)
    case.api.has(
        "/apis/apps/v1/namespaces/vllm/deployments/vllm",
        {**body, "spec": {"replicas": 0, "selector": {}, "template": {}}},
    )
    assert "vllm/vllm: 1 pods" in case.run("preflight", "--phase", "2").output


def test_no_secret_is_read_whole(case: ConsoleCase) -> None:
    be_ready(case)
    case.run("preflight", "--phase", "3", gateway_key={"secure": "v1:x"})
    assert "/api/v1/namespaces/llm-infra/secrets/arunlabs-wildcard-tls" in case.api.asked
    assert "/api/v1/namespaces/llm-infra/secrets" not in case.api.asked


@pytest.mark.parametrize(
    ("code", "said", "cure"),
    [
        (401, "Unauthorized", "renew the credentials"),
        (403, "nodes is forbidden", "credentials that may do this"),
    ],
)
def test_a_refusal_of_the_api_server_is_one_line_with_the_cure(
    case: ConsoleCase, code: int, said: str, cure: str
) -> None:
    be_ready(case)
    case.api.has("/api/v1/nodes", status(code, said), code)
    result = case.run("preflight")
    assert result.exit_code == 1
    assert said in result.output
    assert cure in result.output


def test_something_else_than_an_api_server_is_named_as_such(case: ConsoleCase) -> None:
    be_ready(case)
    case.api.has("/version", "<html>hello</html>")
    result = case.run("preflight")
    assert result.exit_code == 1
    assert "is not a Kubernetes API server" in result.output


def test_a_cluster_that_does_not_answer_is_one_line_with_the_cure(
    case: ConsoleCase, tmp_path: Path
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        case.api.port = closed.getsockname()[1]
        path = case.api.kubeconfig(tmp_path)
    result = case.run("preflight", target={"kubeconfig": str(path)})
    assert result.exit_code == 1
    assert "does not answer" in result.output
    assert "target.kubeconfig" in result.output


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"kubeconfig": "/nowhere/config"}, "there is no kubeconfig /nowhere/config"),
        ({"context": "prod"}, "set synapse:target.context to one of stand-in"),
        ({"kind": "render"}, "name the stack file of a cluster"),
        ({"kind": "sim", "kubeconfig": "/nowhere/config"}, "make up"),
    ],
)
def test_a_target_that_names_no_cluster_says_what_to_set(
    case: ConsoleCase, target: dict[str, str], said: str
) -> None:
    result = case.run("preflight", target=target)
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.parametrize(
    "content", ["[]", "{", "clusters: 3", "clusters: [{}]", "a: b", "", "\x00"]
)
def test_a_file_that_is_no_kubeconfig_is_refused_as_such(
    case: ConsoleCase, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "broken"
    path.write_text(content, encoding="utf-8")
    result = case.run("preflight", target={"kubeconfig": str(path)})
    assert result.exit_code == 1
    assert "cannot be read as a kubeconfig" in result.output


def test_kubeconfig_environment_may_name_several_files(
    case: ConsoleCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_ready(case)
    real = case.api.kubeconfig(tmp_path)
    monkeypatch.setenv("KUBECONFIG", f"/nowhere/config:{real}")
    result = case.run("preflight", target={"kubeconfig": None})
    assert result.exit_code == 0, result.output


def test_an_invalid_phase_and_an_invalid_config_are_exit_2(case: ConsoleCase) -> None:
    assert case.run("preflight", "--phase", "7").exit_code == 2
    assert case.run("preflight", phase=9).exit_code == 2
    assert case.api.asked == []
