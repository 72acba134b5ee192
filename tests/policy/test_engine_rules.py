"""The engine's image, what it is told, its start, and what it serves."""

from typing import Any

import pytest

from tests.policy.changes import Json
from tests.policy.rule_case import (
    ENGINE,
    UNKNOWN,
    add,
    anybodys,
    ours,
    pod,
    remove,
    replace,
    workload,
)

RUNS, TOLD, START = "engine-image-runs-on-gpu", "engine-reads-what-it-is-told", "engine-startup"
NO_SPEECH = "no-whisper-in-engine"
PROBE = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 30, "failureThreshold": 60}
ON_A_5090 = {"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-5090"}
IMAGE = "vllm/vllm-openai:v0.20.2"


def engine(image: str = IMAGE, kind: str = "Deployment", **more: Any) -> Json:
    """Anybody's engine on an RTX 5090."""
    container = {
        "image": image,
        "args": ["--model=Qwen/Qwen3-8B", "--max-model-len=8192", *more.pop("args", ())],
        "env": more.pop("env", []),
        "startupProbe": more.pop("probe", PROBE),
    }
    options = more.pop("options", {"create_within": "40m", "update_within": "40m"})
    spec = pod(container, nodeSelector=more.pop("nodes", ON_A_5090))
    return workload(kind, spec, options=options, **more)


@pytest.mark.parametrize("tag", ["v0.8.1", "v0.9.1", "0.10.0", "v0.10.0-cu128"])
def test_the_seeds_image_and_others_that_lack_the_gpu_s_kernels_are_refused(tag: str) -> None:
    image = f"registry.arunlabs.com/vllm-rtx5090:{tag}"
    message = ours(RUNS, replace(ENGINE, "container/image", image))
    assert "GeForce RTX 5090 (sm_120)" in message
    assert "needs vLLM >= 0.9.2 and not 0.10.0" in message
    assert "take docker.io/vllm/vllm-openai:v0.20.2" in message
    assert "sm_120" in anybodys(RUNS, engine(f"vllm/vllm-openai:{tag}"))


@pytest.mark.parametrize("tag", ["v0.9.2", "0.10.1", "v0.20.2-cu129-ubuntu2404"])
def test_an_image_with_the_gpu_s_kernels_passes(tag: str) -> None:
    image = f"registry.arunlabs.com/vllm-rtx5090:{tag}"
    assert ours(RUNS, replace(ENGINE, "container/image", image)) == ""
    assert anybodys(RUNS, engine(f"vllm/vllm-openai:{tag}")) == ""


def test_a_tag_that_counts_otherwise_is_taken_by_the_plan_s_version() -> None:
    assert ours(RUNS, replace(ENGINE, "container/image", "r.example.com/llm:0.3.0")) == ""


def test_the_plan_s_own_version_is_judged_before_anything_is_created() -> None:
    changed = replace("Synapse/synapse", "plan/engine/version", "0.8.1")
    assert "the plan's engine has vLLM 0.8.1" in ours(RUNS, changed)


@pytest.mark.parametrize(
    "nodes", [{}, {"nvidia.com/gpu.product": "NVIDIA-A10"}, {"nvidia.com/gpu.product": "Other"}]
)
def test_on_other_gpus_and_on_unnamed_ones_an_old_engine_passes(nodes: Json) -> None:
    assert anybodys(RUNS, engine("vllm/vllm-openai:v0.8.1", nodes=nodes)) == ""


def test_a_shared_gpu_is_the_same_gpu() -> None:
    nodes = {"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-5090-SHARED"}
    assert "sm_120" in anybodys(RUNS, engine("vllm/vllm-openai:v0.8.1", nodes=nodes))


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Pod", "ReplicaSet"])
def test_an_engine_is_judged_in_every_kind(kind: str) -> None:
    assert "sm_120" in anybodys(RUNS, engine("vllm/vllm-openai:v0.8.1", kind))


def test_an_engine_s_download_is_none() -> None:
    assert anybodys(RUNS, engine("vllm/vllm-openai:v0.8.1", "Job")) == ""


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("VLLM_ATTENTION_BACKEND", "--attention-backend"),
        ("VLLM_FLASH_ATTN_VERSION", "--attention-config.flash_attn_version"),
        ("VLLM_USE_V1", "drop it"),
    ],
)
def test_a_variable_that_the_version_no_longer_reads_is_refused(name: str, instead: str) -> None:
    variable = {"name": name, "value": "1"}
    message = ours(TOLD, add(ENGINE, "container/env/-", variable))
    assert f"sets {name}" in message
    assert instead in message
    assert instead in anybodys(TOLD, engine(env=[variable]))
    assert anybodys(TOLD, engine("vllm/vllm-openai:v0.9.2", env=[variable])) == ""


@pytest.mark.parametrize(
    "flag", ["--disable-log-requests", "--num-scheduler-steps=8", "--enable_reasoning"]
)
def test_a_flag_that_is_gone_is_refused(flag: str) -> None:
    assert "which is not read from" in ours(TOLD, add(ENGINE, "container/args/-", flag))
    assert "which is not read from" in anybodys(TOLD, engine(args=[flag]))
    assert anybodys(TOLD, engine("vllm/vllm-openai:v0.9.2", args=[flag])) == ""


def test_our_own_engine_is_told_only_what_it_reads() -> None:
    assert ours(RUNS) == ours(TOLD) == ours(START) == ours(NO_SPEECH) == ""


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("failureThreshold", 59, "59 × 30 = 1770 s"),
        ("periodSeconds", 10, "60 × 10 = 600 s"),
        ("periodSeconds", 29, "60 × 29 = 1740 s"),
    ],
)
def test_a_start_of_less_than_30_minutes_is_refused(path: str, value: int, shown: str) -> None:
    message = ours(START, replace(ENGINE, f"container/startupProbe/{path}", value))
    assert f"{shown} for its start (startupProbe) < 1800 s" in message
    assert shown in anybodys(START, engine(probe=PROBE | {path: value}))


def test_kubernetes_defaults_count_where_a_probe_says_nothing() -> None:
    assert "3 × 10 = 30 s" in anybodys(START, engine(probe={"httpGet": {"port": 8000}}))
    assert anybodys(START, engine(probe=PROBE | {"initialDelaySeconds": 60})) == ""


def test_an_engine_without_a_startup_probe_is_refused() -> None:
    assert "no startupProbe" in ours(START, remove(ENGINE, "container/startupProbe"))
    assert "no startupProbe" in anybodys(START, engine(probe={}))


@pytest.mark.parametrize(
    ("option", "action"), [("create_within", "create"), ("update_within", "update")]
)
def test_a_wait_that_is_shorter_than_the_probe_is_refused(option: str, action: str) -> None:
    message = ours(START, replace(ENGINE, f"options/{option}", "1799s"))
    assert f"1799 s for the {action} of Deployment 'vllm-inference' < 1800 s" in message
    assert f'{action}="2400s"' in message
    assert ours(START, replace(ENGINE, f"options/{option}", "30m")) == ""
    unset = ours(START, remove(ENGINE, f"options/{option}"))
    assert "Pulumi waits 600 s" in unset


def test_a_longer_probe_needs_a_longer_wait() -> None:
    changed = replace(ENGINE, "container/startupProbe/failureThreshold", 120)
    assert "2400 s for the create" in ours(START, changed)


@pytest.mark.parametrize(
    ("annotations", "passes"),
    [
        ({"pulumi.com/skipAwait": "true"}, True),
        ({"pulumi.com/timeoutSeconds": "2400"}, True),
        ({"pulumi.com/timeoutSeconds": "900"}, False),
    ],
)
def test_annotations_about_waiting_count(annotations: Json, passes: bool) -> None:
    made = engine(options={}, metadata={"annotations": annotations})
    assert (anybodys(START, made) == "") is passes


def test_what_pulumi_does_not_wait_for_needs_no_timeout() -> None:
    assert anybodys(START, engine(kind="ReplicaSet", options={})) == ""
    assert "Pulumi waits" in anybodys(START, engine(kind="StatefulSet", options={}))


def test_unknown_parts_of_an_engine_are_refused() -> None:
    assert "can't be known" in anybodys(START, engine(probe=PROBE | {"periodSeconds": UNKNOWN}))
    assert "can't be known" in anybodys(NO_SPEECH, engine(args=[UNKNOWN]))


def test_what_is_no_engine_is_passed_over_with_its_unknown_values() -> None:
    made = workload(
        "Deployment",
        pod({"image": "web:1", "args": [UNKNOWN], "env": [{"name": "X", "value": UNKNOWN}]}),
    )
    for rule in (RUNS, TOLD, START, NO_SPEECH):
        assert anybodys(rule, made) == ""


@pytest.mark.parametrize(
    "spec",
    [
        pod({"image": "vllm-router:v0.1", "args": ["--port=80"]}),
        pod({"image": "web:1", "args": ["--backend", "http://vllm:8000"]}),
        pod({"image": "web:1", "env": [{"name": "VLLM_API_KEY", "value": "x"}]}),
        pod({"image": "litellm:v1.2", "args": ["--config", "/app/vllm.yaml"]}),
    ],
)
def test_what_only_talks_to_an_engine_is_none(spec: Json) -> None:
    assert anybodys(START, workload("Deployment", spec)) == ""


@pytest.mark.parametrize(
    "container",
    [
        {"image": "vllm/vllm-openai:v0.20.2"},
        {"image": "llm:1", "command": ["vllm", "serve", "m"]},
        {"image": "llm:1", "command": ["/opt/bin/vllm", "serve", "m"]},
        {"image": "llm:1", "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"]},
        {"image": "llm:1", "command": ["sh", "-c", "exec vllm serve m --port 80"]},
        {"image": "llm:1", "args": ["--gpu-memory-utilization", "0.5"]},
        {"image": "llm:1", "env": [{"name": "VLLM_CACHE_ROOT", "value": "/c"}]},
        {"image": "llm:1", "command": ["python3", "-m", "sglang.launch_server"]},
    ],
)
def test_an_engine_is_recognised_by_what_it_runs(container: Json) -> None:
    assert "no startupProbe" in anybodys(START, workload("Deployment", pod(container)))


def test_an_engine_that_is_a_sidecar_counts() -> None:
    sidecar = {"name": "llm", "image": IMAGE, "restartPolicy": "Always"}
    made = workload("Deployment", pod({"image": "web:1"}, initContainers=[sidecar]))
    assert "'llm'" in anybodys(START, made)


@pytest.mark.parametrize(
    "args",
    [
        ["--model=openai/whisper-large-v3"],
        ["--model", "/models/Whisper-Large-V3-Turbo"],
        ["--served-model-name", "chat", "whisper-1"],
        ["--served-model-name=whisper-1"],
        ["--model=local", "--task=transcription"],
        ["--model=nvidia/parakeet-tdt-0.6b-v3"],
    ],
)
def test_a_speech_model_in_the_engine_is_refused(args: list[str]) -> None:
    made = workload("Deployment", pod({"image": IMAGE, "args": args}))
    assert "serves a speech model" in anybodys(NO_SPEECH, made)
    message = ours(NO_SPEECH, replace(ENGINE, "container/args", args))
    assert "serves a speech model" in message
    assert "speaches" in message


def test_a_positional_speech_model_is_refused() -> None:
    for more in ({"args": ["openai/whisper-small"]}, {"command": ["vllm", "serve", "a/whisper"]}):
        made = workload("Deployment", pod({"image": IMAGE, **more}))
        assert "serves a speech model" in anybodys(NO_SPEECH, made)


def test_whisper_where_it_belongs_passes() -> None:
    speaches = pod({"image": "ghcr.io/speaches-ai/speaches:0.8.3", "args": ["whisper-large-v3"]})
    assert anybodys(NO_SPEECH, workload("Deployment", speaches)) == ""
