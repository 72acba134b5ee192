"""Claims with models are protected."""

from typing import Any

import pytest

from tests.policy.changes import Json
from tests.policy.rule_case import anybodys, ours, pod, remove, replace, workload

PLANNED, MOUNTED = "volumes-protected", "volumes-protected-deployed"
CLAIMS = ("ollama-models", "huggingface-cache", "speech-models")


def claim(name: str = "models", **options: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"resources": {"requests": {"storage": "10Gi"}}},
        "options": options,
    }


def server(container: Json, kind: str = "Deployment", claim_name: str = "models") -> Json:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim_name}}]
    return workload(kind, pod(container, volumes=volumes))


def test_our_own_are_protected() -> None:
    assert ours(PLANNED) == ours(MOUNTED) == ""


@pytest.mark.parametrize("name", CLAIMS)
def test_a_planned_claim_that_is_not_protected_is_refused(name: str) -> None:
    message = ours(PLANNED, remove(f"PersistentVolumeClaim/{name}", "options/protect"))
    assert f"claim '{name}' holds models and is not protected" in message
    assert "retain_on_delete=True" in message


def test_the_namespace_is_protected_as_well() -> None:
    changed = replace("Namespace/llm-infra", "options/protect", False)
    assert "takes every claim in it along" in ours(PLANNED, changed)


SERVERS: list[Json] = [
    {"image": "vllm/vllm-openai:v0.20.2"},
    {"image": "ollama/ollama:0.12.0"},
    {"image": "ghcr.io/speaches-ai/speaches:0.8.3-cpu"},
    {"image": "tts:1", "command": ["tts-server", "--port", "5002"]},
]


@pytest.mark.parametrize("container", SERVERS)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Pod"])
def test_what_a_model_server_of_anybody_mounts_counts(container: Json, kind: str) -> None:
    message = anybodys(MOUNTED, claim(), server(container, kind))
    assert f"claim 'models', which {kind} 'it' mounts" in message
    assert anybodys(MOUNTED, claim(protect=True), server(container, kind)) == ""


def test_other_claims_pass() -> None:
    assert anybodys(MOUNTED, claim(), server({"image": "postgres:17.2"})) == ""
    assert anybodys(MOUNTED, claim("other"), server(SERVERS[0])) == ""
    elsewhere = claim()
    elsewhere["metadata"]["namespace"] = "elsewhere"
    assert anybodys(MOUNTED, elsewhere, server(SERVERS[0])) == ""


def test_a_claim_is_named_once() -> None:
    second = server(SERVERS[1])
    second["metadata"]["name"] = "second"
    assert anybodys(MOUNTED, claim(), server(SERVERS[0]), second).count("holds models") == 1


def test_a_stateful_set_that_deletes_its_claims_is_refused() -> None:
    made = workload("StatefulSet", pod(SERVERS[0]), volumeClaimTemplates=[claim()])
    assert anybodys(MOUNTED, made) == ""
    made["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete"}
    assert "whenDeleted); set it to Retain" in anybodys(MOUNTED, made)
