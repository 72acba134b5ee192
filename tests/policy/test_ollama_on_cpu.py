"""An Ollama without a GPU sees none."""

from typing import Any

import pytest

from tests.policy.changes import Json
from tests.policy.rule_case import (
    OLLAMA,
    UNKNOWN,
    add,
    anybodys,
    ours,
    pod,
    remove,
    replace,
    workload,
)

RULE = "cpu-ollama-sees-no-gpu"
HIDDEN = {"NVIDIA_VISIBLE_DEVICES": "void", "CUDA_VISIBLE_DEVICES": "-1"}


def ollama(env: Json, kind: str = "Deployment", spec: Json | None = None, **container: Any) -> Json:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    one = {"image": "ollama/ollama:0.12.0", "env": variables, **container}
    return workload(kind, pod(one, **(spec or {})))


def test_our_own_passes_with_its_pull_jobs() -> None:
    assert ours(RULE) == ""


@pytest.mark.parametrize("name", list(HIDDEN))
def test_a_variable_that_is_missing_or_shows_a_gpu_is_refused(name: str) -> None:
    at = f"container/env/name={name}"
    assert f"{name} is not set" in ours(RULE, remove(OLLAMA, at))
    assert f"{name} is 'all'" in ours(RULE, replace(OLLAMA, f"{at}/value", "all"))
    job = "Job/ollama-pull-llama3-2-3b"
    assert name in ours(RULE, remove(job, at))


def test_a_runtime_class_for_gpus_is_refused() -> None:
    message = ours(RULE, add(OLLAMA, "pod/runtimeClassName", "nvidia"))
    assert "runtimeClassName is 'nvidia'" in message
    assert "drop runtimeClassName" in message
    made = ollama(HIDDEN, spec={"runtimeClassName": "nvidia-cdi"})
    assert "nvidia-cdi" in anybodys(RULE, made)
    assert anybodys(RULE, ollama(HIDDEN, spec={"runtimeClassName": "gvisor"})) == ""


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Pod", "CronJob"])
def test_every_kind_of_anybody_s_counts(kind: str) -> None:
    message = anybodys(RULE, ollama({}, kind))
    assert "NVIDIA_VISIBLE_DEVICES is not set (the image has all)" in message
    assert "CUDA_VISIBLE_DEVICES is not set" in message
    assert anybodys(RULE, ollama(HIDDEN, kind)) == ""


@pytest.mark.parametrize("devices", ["none", "", "void"])
def test_every_word_for_no_device_passes(devices: str) -> None:
    assert anybodys(RULE, ollama(HIDDEN | {"NVIDIA_VISIBLE_DEVICES": devices})) == ""


@pytest.mark.parametrize(
    "resources",
    [
        {"limits": {"nvidia.com/gpu": "1"}},
        {"limits": {"amd.com/gpu": "1"}},
        {"claims": [{"name": "gpu"}]},
    ],
)
def test_an_ollama_that_claims_a_gpu_may_see_it(resources: Json) -> None:
    made = ollama({}, spec={"runtimeClassName": "nvidia"}, resources=resources)
    assert anybodys(RULE, made) == ""


@pytest.mark.parametrize(
    "container",
    [
        {"image": "r.example.com/mirror/llm:1", "command": ["/bin/ollama", "serve"]},
        {"image": "llm:1", "command": ["sh", "-c", "ollama serve & wait"]},
        {"image": "llm:1", "env": [{"name": "OLLAMA_MAX_LOADED_MODELS", "value": "2"}]},
    ],
)
def test_it_is_recognised_by_what_it_runs(container: Json) -> None:
    assert "runs Ollama" in anybodys(RULE, workload("Deployment", pod(container)))


@pytest.mark.parametrize(
    "container",
    [
        {"image": "ollama-metrics:1", "env": [{"name": "OLLAMA_HOST", "value": "ollama:11434"}]},
        {"image": "curl:8", "command": ["sh", "-c", "curl http://ollama:11434/api/tags"]},
    ],
)
def test_what_only_talks_to_it_passes(container: Json) -> None:
    assert anybodys(RULE, workload("Deployment", pod(container))) == ""


def test_a_value_from_elsewhere_and_an_unknown_one_are_refused() -> None:
    elsewhere = {"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": {"configMapKeyRef": {"key": "a"}}}
    env = [elsewhere, {"name": "CUDA_VISIBLE_DEVICES", "value": "-1"}]
    made = workload("Deployment", pod({"image": "ollama/ollama:0.12.0", "env": env}))
    assert "no plain value" in anybodys(RULE, made)
    unknown = ollama(HIDDEN | {"CUDA_VISIBLE_DEVICES": UNKNOWN})
    assert "can't be known" in anybodys(RULE, unknown)
    assert anybodys(RULE, ollama(HIDDEN | {"OLLAMA_ORIGINS": UNKNOWN})) == ""


def test_a_patch_counts_for_what_it_says() -> None:
    patch = {"kind": "DeploymentPatch"}
    assert anybodys(RULE, ollama({}) | patch) == ""
    assert "is 'all'" in anybodys(RULE, ollama({"NVIDIA_VISIBLE_DEVICES": "all"}) | patch)
