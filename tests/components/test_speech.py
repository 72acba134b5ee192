"""Phase 4: Speaches always there, XTTS in turn with the engine and only with its licence."""

import json
from typing import Any

import pytest

from synapse.plan.model import Plan
from tests.components.conftest import ACKNOWLEDGED, Planner, Record
from tests.components.pods import Pod, pod, pods, seconds
from tests.components.recorder import Json, Recorded

COQUI, SPEACHES, PIPER, PULL, ENGINE = (
    "coqui-tts",
    "speaches",
    "piper-tts",
    "speech-pull",
    "vllm-inference",
)
BY, ON = "synapse/xtts-licence-acknowledged-by", "synapse/xtts-licence-acknowledged-on"
CONCURRENT = {"sharing": "concurrent"}
SMALLER = {"memory_gib": 64, "memory_request_gib": 24}
"""Ollama, where both GPU pods have their RAM at once."""
ON_THE_GPU = {"device": "gpu", "model": "large-v3-turbo"}


def _annotations(one: Pod) -> dict[str, str]:
    template = one.owner.spec["template"]["metadata"]
    annotations: dict[str, str] = template.get("annotations", {})
    return annotations


def _wanted(one: Pod) -> dict[str, dict[str, Any]]:
    return {wanted["repository"]: wanted for wanted in json.loads(one.environment["MODELS"])}


# ---- XTTS and its licence ----------------------------------------------------------------------


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_xtts_names_who_acknowledged_its_licence(registered: Record, preview: bool) -> None:
    recorded = registered(preview=preview)
    for name in (COQUI, PULL):
        annotations = _annotations(pod(recorded, name))
        assert (annotations[BY], annotations[ON]) == ("the operator", "2026-11-22"), name
    assert _annotations(pod(recorded, COQUI))["synapse/vram-gib"] == "12"


@pytest.mark.parametrize("tts", [{}, {"kind": "kokoro"}], ids=["nobody did", "not wanted"])
def test_without_the_licence_nothing_of_xtts_is_there(
    registered: Record, tts: dict[str, object]
) -> None:
    recorded = registered(speech={"tts": tts})
    assert COQUI not in {one.name for one in pods(recorded)}
    assert COQUI not in {one.object_name for one in recorded.of_kind("Service")}
    assert "coqui/XTTS-v2" not in _wanted(pod(recorded, PULL))
    assert BY not in _annotations(pod(recorded, PULL))
    assert "COQUI" not in json.dumps([one.inputs["spec"] for one in recorded.of_kind("Deployment")])


def test_an_operator_is_told_why_xtts_is_not_there(registered: Record) -> None:
    said = "\n".join(registered(speech={"tts": {}}).log)
    assert "CPML" in said
    assert "set speech.tts.licence_acknowledged to { by: <name>, date: <day> }" in said
    assert "CPML" not in "\n".join(registered(phase=3, speech={"tts": {}}).log), "not yet"
    assert "CPML" not in "\n".join(registered().log)


def test_taking_turns_chat_has_the_gpu_first(registered: Record) -> None:
    recorded = registered()
    replicas = {one.object_name: one.spec["replicas"] for one in recorded.of_kind("Deployment")}
    assert (replicas[ENGINE], replicas[COQUI]) == (1, 0)


def test_together_both_run_from_the_start(registered: Record) -> None:
    recorded = registered(gpu=CONCURRENT, ollama=SMALLER)
    replicas = {one.object_name: one.spec["replicas"] for one in recorded.of_kind("Deployment")}
    assert (replicas[ENGINE], replicas[COQUI]) == (1, 1)


def test_xtts_is_loaded_from_the_volume_and_onto_the_gpu(registered: Record) -> None:
    recorded = registered()
    one = pod(recorded, COQUI)
    assert one.container["command"][-1] == "tts-server"
    assert one.container["args"] == [
        "--model_path=/models/xtts-v2",
        "--config_path=/models/xtts-v2/config.json",
        "--device=cuda",
        "--port=5002",
    ]
    folder = _wanted(pod(recorded, PULL))["coqui/XTTS-v2"]["folder"]
    assert folder == "/models/xtts-v2"
    assert one.environment["HF_HUB_OFFLINE"] == "1"


def test_the_old_pod_is_gone_before_a_new_one_asks_for_the_gpu(registered: Record) -> None:
    recorded = registered()
    for name in (COQUI, SPEACHES):
        assert recorded.object("Deployment", name).spec["strategy"] == {"type": "Recreate"}


# ---- Speaches ----------------------------------------------------------------------------------


def test_speaches_runs_the_plans_whisper_on_the_cpu(registered: Record, planned: Planner) -> None:
    stt = planned().speech.stt
    one = pod(registered(), SPEACHES)
    assert one.environment["WHISPER__INFERENCE_DEVICE"] == stt.device == "cpu"
    assert one.environment["WHISPER__COMPUTE_TYPE"] == stt.compute_type == "int8"
    assert one.environment["WHISPER__CPU_THREADS"] == "8"
    assert one.environment["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "runtimeClassName" not in one.spec
    assert stt.repository in _wanted(pod(registered(), PULL))


def test_on_the_gpu_it_claims_its_share(registered: Record, planned: Planner) -> None:
    overrides: Json = {
        "gpu": CONCURRENT,
        "ollama": SMALLER,
        "speech": {"tts": {"licence_acknowledged": ACKNOWLEDGED}, "stt": ON_THE_GPU},
    }
    recorded = registered(**overrides)
    one = pod(recorded, SPEACHES)
    assert planned(**overrides).gpu.devices == 3
    assert one.spec["runtimeClassName"] == "nvidia"
    assert one.container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert one.environment["WHISPER__INFERENCE_DEVICE"] == "cuda"
    assert one.environment["WHISPER__COMPUTE_TYPE"] == "float16", "int8 fails on RTX 50xx"
    assert _annotations(one)["synapse/vram-gib"] == "2.48"
    assert [init["name"] for init in one.spec["initContainers"]] == ["wait-for-vram"]


@pytest.mark.parametrize("name", [COQUI, SPEACHES])
def test_it_reads_what_the_job_wrote_and_writes_nothing_there(
    registered: Record, name: str
) -> None:
    recorded = registered()
    one, pull = pod(recorded, name), pod(recorded, PULL)
    assert one.claims == pull.claims == {"speech-models": "/models"}
    read_only = {
        mount["mountPath"]: mount.get("readOnly", False) for mount in one.container["volumeMounts"]
    }
    assert read_only["/models"] is True
    users = {each.spec["securityContext"]["runAsUser"] for each in (one, pull)}
    assert len(users) == 1, "one could not read what the other wrote"
    assert recorded.object("Job", PULL).urn in recorded.object("Deployment", name).depends_on


def test_the_download_is_one_job_that_goes_on_where_it_was_cut_off(
    registered: Record, planned: Planner
) -> None:
    one = pod(registered(), PULL)
    assert one.owner.annotations["synapse/model"].split(",") == [
        weights.name for weights in planned().speech.weights
    ]
    python, unbuffered, option, script = one.container["command"]
    assert (python, unbuffered, option) == ("python3", "-u", "-c")
    compile(script, PULL, "exec")
    assert "HF_HUB_OFFLINE" not in one.environment
    assert one.environment["HF_HOME"] == pod(registered(), SPEACHES).environment["HF_HOME"]
    assert one.owner.spec["template"]["spec"]["restartPolicy"] == "Never"


def test_a_long_start_is_waited_for(registered: Record) -> None:
    recorded = registered()
    for name in (COQUI, SPEACHES):
        deployment, container = recorded.object("Deployment", name), pod(recorded, name).container
        probe = container["startupProbe"]
        start_seconds = probe["failureThreshold"] * probe["periodSeconds"]
        assert deployment.spec["progressDeadlineSeconds"] > start_seconds >= 300
        assert seconds(deployment.created_within) >= deployment.spec["progressDeadlineSeconds"]
        assert {"readinessProbe", "livenessProbe"} <= container.keys()


# ---- the guide's variant -----------------------------------------------------------------------


def test_the_guides_piper_is_there_where_it_is_asked_for(registered: Record) -> None:
    recorded = registered(speech={"tts": {"kind": "piper"}})
    one = pod(recorded, PIPER)
    assert one.container["resources"]["limits"] == {
        "cpu": "4",
        "memory": "4Gi",
        "ephemeral-storage": "1Gi",
    }
    assert one.environment["TTS_BACKEND"] == "piper"
    (port,) = recorded.object("Service", PIPER).spec["ports"]
    assert (port["port"], port["targetPort"]) == (8003, 8000)
    assert COQUI not in {other.name for other in pods(recorded)}
    assert any("obsolete" in line for line in recorded.log)


def test_the_guides_whisper_is_a_choice_that_is_said_to_be_too_slow(registered: Record) -> None:
    recorded = registered(
        speech={
            "tts": {"licence_acknowledged": ACKNOWLEDGED},
            "stt": {"model": "large-v3", "memory_limit_gib": 16},
        }
    )
    assert pod(recorded, SPEACHES).container["resources"]["limits"]["memory"] == "16Gi"
    assert "Systran/faster-whisper-large-v3" in _wanted(pod(recorded, PULL))
    assert any(
        "stt-answers-in-time" in line and "set speech.stt.model" in line for line in recorded.log
    )


# ---- the wait for the GPU's memory -------------------------------------------------------------


def _waits(recorded: Recorded) -> dict[str, Pod]:
    return {one.name: one for one in pods(recorded) if "initContainers" in one.spec}


def test_every_gpu_pod_waits_for_its_share_before_each_start(
    registered: Record, planned: Planner
) -> None:
    recorded, plan = registered(), planned()
    waiting = _waits(recorded)
    on_gpu = {one.name for one in pods(recorded) if "runtimeClassName" in one.spec}
    assert waiting.keys() == on_gpu == {ENGINE, COQUI}
    for name, one in waiting.items():
        (init,) = one.spec["initContainers"]
        wait = ["/bin/sh", "/synapse/wait-for-vram", str(_mib(plan, name)), "300"]
        assert init["command"] == wait, name
        assert one.container["command"][:4] == wait, "an init container does not run again"
        assert len(one.container["command"]) > 4, name


def _mib(plan: Plan, name: str) -> int:
    return -(-int(plan.workload(name).vram_gib * 1024 * 1000) // 1000)


def test_the_wait_sees_the_gpu_that_the_pod_claims_once(registered: Record) -> None:
    for name, one in _waits(registered()).items():
        (init,) = one.spec["initContainers"]
        assert init["resources"]["limits"]["nvidia.com/gpu"] == "1", name
        for container in (init, one.container):
            told = {each["name"]: each.get("value") for each in container["env"]}
            assert told["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility", name


def test_the_script_lies_in_a_config_map_that_cannot_change(registered: Record) -> None:
    recorded = registered()
    for name, one in _waits(recorded).items():
        (source,) = (volume["configMap"] for volume in one.spec["volumes"] if "configMap" in volume)
        config = recorded.object("ConfigMap", source["name"])
        assert config.inputs["immutable"] is True
        assert config.inputs["data"]["wait-for-vram"].startswith("#!/bin/sh\n")
        assert source["defaultMode"] == 0o555
        assert config.urn in recorded.object("Deployment", name).depends_on
