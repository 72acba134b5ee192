"""What is really deployed, added up: more pods, other pods, and ways between states."""

import pytest

from tests.policy import forge
from tests.policy.changes import Json
from tests.policy.forge import plan, state
from tests.policy.judge import judge_root, said
from tests.policy.rule_case import ENGINE, OLLAMA, add, ours, pod, remove, replace, workload

VRAM, COUNT, AGREE = "vram-in-every-state-deployed", "gpu-count", "resources-agree-deployed"
GATEWAY = "Deployment/litellm-proxy"
SIZES: Json = {
    "requests": {"cpu": "1", "memory": "1Gi"},
    "limits": {"cpu": "1", "memory": "2Gi"},
}


def test_every_pod_of_an_engine_takes_its_share() -> None:
    message = ours(VRAM, replace(ENGINE, "spec/replicas", 2))
    assert "× 2 pods" in message
    assert "> 30.00 GiB" in message
    rolling = replace(ENGINE, "spec/strategy", {"type": "RollingUpdate"})
    assert "× 2 pods" in ours(VRAM, rolling)
    assert ours(VRAM, replace(ENGINE, "spec/replicas", 0)) == ""


def test_a_second_engine_of_the_same_name_is_not_hidden_by_the_first() -> None:
    container = {
        "image": "registry.arunlabs.com/vllm-rtx5090:v0.20.2",
        "args": [f"--model={forge.REPOSITORY}", "--gpu-memory-utilization=0.5"],
        "resources": SIZES | {"limits": SIZES["limits"] | {"nvidia.com/gpu": "1"}},
    }
    twin = workload("StatefulSet", pod(container), metadata={"name": "vllm-inference"})
    message = ours(VRAM, objects=(twin,))
    assert "StatefulSet 'vllm-inference' takes" in message
    assert "in no GPU state of phase 3" in message


def test_two_engines_in_one_pod_are_refused() -> None:
    second = {"name": "second", "image": "vllm/vllm-openai:v0.20.2", "args": ["--model=m"]}
    message = ours(VRAM, add(ENGINE, "pod/containers/-", second))
    assert "several engines in a pod, 'vllm' and 'second'" in message


def test_an_init_container_of_the_engine_s_image_is_no_second_engine() -> None:
    image = "registry.arunlabs.com/vllm-rtx5090:v0.20.2"
    check = {"name": "check", "image": image, "command": ["nvidia-smi"], "resources": SIZES}
    assert ours(VRAM, add(ENGINE, "pod/initContainers/-", check)) == ""


@pytest.mark.parametrize("devices", ["all", "0", "GPU-1234"])
def test_a_pod_that_sees_the_gpu_without_a_claim_is_on_it(devices: str) -> None:
    variable = {"name": "NVIDIA_VISIBLE_DEVICES", "value": devices}
    assert "claims none" in ours(COUNT, add(GATEWAY, "container/env/-", variable))
    void = variable | {"value": "void"}
    assert ours(COUNT, add(GATEWAY, "container/env/-", void)) == ""


def test_what_only_watches_the_gpu_is_not_on_it() -> None:
    watcher = {
        "image": "nvcr.io/nvidia/k8s/dcgm-exporter:4.5.3",
        "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}],
        "resources": SIZES,
    }
    assert ours(COUNT, objects=(workload("DaemonSet", pod(watcher)),)) == ""


def awake_and_asleep(residue_gib: float = 3.0, speech_gib: float = 12.0) -> Json:
    made = plan()
    made["engine"]["sleep_mode"] = True
    made["states"] = [
        state("chat", [3], vllm_inference=forge.ENGINE_GIB),
        state("asleep", [3], vllm_inference=residue_gib, speech=speech_gib),
    ]
    return made


def test_the_way_from_awake_to_asleep_is_added_up_although_the_plan_hides_the_state() -> None:
    made = awake_and_asleep()
    rule = "vram-in-every-state"
    assert 'transition "chat" to "asleep"' in said(judge_root(made), rule)
    del made["states"][0]
    message = said(judge_root(made), rule)
    assert 'transition "vllm-inference together" to "asleep"' in message


def test_a_sleeping_engine_holds_more_than_nothing() -> None:
    made = awake_and_asleep(residue_gib=0.0, speech_gib=29.8)
    found = judge_root(made)
    assert "vllm-inference asleep 0.36 + speech 29.80 = 30.16 GiB > 30.00 GiB" in said(
        found, "vram-in-every-state"
    )
    assert 'state "asleep" sum_gib' in said(found, "plan-agrees")


def test_our_own_resources_add_up_to_the_plan() -> None:
    assert ours(AGREE) == ""


@pytest.mark.parametrize(
    "left_out", [GATEWAY, OLLAMA, "CronJob/litellm-restart", "Job/engine-pull"]
)
def test_a_pod_that_is_left_out_shows_in_the_sum(left_out: str) -> None:
    message = ours(AGREE, without=(left_out,))
    assert "RAM limits in phase 3" in message
    assert "the resources add up to" in message


@pytest.mark.parametrize(
    "kind", ["Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob", "Pod"]
)
def test_a_pod_that_nobody_planned_shows_in_the_sum(kind: str) -> None:
    made = workload(kind, pod({"image": "a:1", "resources": SIZES}))
    message = ours(AGREE, objects=(made,))
    assert f"{kind} 'it'" in message


def test_a_pod_in_a_list_shows_in_the_sum() -> None:
    made = workload("Deployment", pod({"image": "a:1", "resources": SIZES}))
    listed = {"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [made]}
    assert "Deployment 'it'" in ours(AGREE, objects=(listed,))


def test_sleep_mode_that_only_the_plan_knows_disagrees() -> None:
    attested = replace("Synapse/synapse", "plan/engine/sleep_mode", True)
    assert "engine.sleep_mode" in ours("resources-agree", attested)
    flag = add(ENGINE, "container/args/-", "--enable-sleep-mode")
    assert ours("resources-agree", attested, flag) == ""


def test_an_engine_without_its_limit_cannot_be_added_up() -> None:
    changed = remove(GATEWAY, "container/resources/limits/memory")
    assert "no resources.limits.memory" in ours(AGREE, changed)
