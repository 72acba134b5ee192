"""VRAM in every state, GPU count, and the engine within its share."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.policy import forge
from tests.policy.forge import Json, plan, resources, state
from tests.policy.judge import judge_all, judge_resource, judge_root, judge_stack, rules, said

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def with_arguments(*more: str, without: str = "-") -> Json:
    made = forge.engine()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    kept = [word for word in container["args"] if not word.startswith(without) or without == "-"]
    container["args"] = [*kept, *more]
    return made


def together(tts_gib: float = 12.0, fraction: float = 0.75) -> Json:
    """A plan in which the engine and speech share the GPU, and whose own check was switched off."""
    made = plan(4)
    made["gpu"] |= {"sharing": "concurrent", "devices": 2}
    made["engine"] |= {"gpu_memory_utilization": fraction, "share_gib": fraction * forge.TOTAL_GIB}
    taken = fraction * forge.TOTAL_GIB + forge.OUTSIDE_GIB
    made["states"][1] = state("chat+speech", [4, 5, 6], vllm_inference=taken, coqui_tts=tts_gib)
    made["states"][0]["phases"] = [2, 3]
    return made


def test_a_state_over_the_budget_is_refused_with_its_sum_and_cure() -> None:
    message = said(judge_root(together()), "vram-in-every-state")
    assert 'state "chat+speech"' in message
    assert "0.75 × 31.36" in message
    assert "coqui-tts 12.00" in message
    assert "> 30.00 GiB" in message
    assert "lower engine.gpu_memory_utilization to 0.54 or set gpu.sharing to exclusive" in message


def test_the_cure_of_a_state_over_the_budget_cures_it() -> None:
    assert not said(judge_root(together(fraction=0.54)), "vram-in-every-state")


def test_a_state_that_the_plan_leaves_out_is_added_up_all_the_same() -> None:
    made = together()
    del made["states"][1]
    found = judge_root(made)
    assert "vllm-inference and coqui-tts together" in said(found, "vram-in-every-state")
    assert "plan says nothing" in said(found, "plan-agrees")


def test_the_nominal_size_never_counts() -> None:
    made = plan()
    made["gpu"] |= {"budget_gib": 32, "reserve_gib": 0, "ceiling_gib": 32, "total_gib": 32}
    made["engine"] |= {"gpu_memory_utilization": 1.0}
    assert "> 31.36 GiB" in said(judge_root(made), "vram-in-every-state")


def test_a_transition_counts_what_stays_at_its_larger_size() -> None:
    made = together()
    made["engine"]["sleep_mode"] = True
    made["workloads"] = [one for one in made["workloads"] if one["name"] != "coqui-tts"]
    made["states"] = [
        state("awake", [4], vllm_inference=forge.ENGINE_GIB),
        state("asleep", [4], vllm_inference=3.0, speech=12.0),
    ]
    assert 'transition "awake" to "asleep"' in said(judge_root(made), "vram-in-every-state")
    made["states"][1] = state("asleep", [4], vllm_inference=3.0, speech=5.0)
    assert not said(judge_root(made), "vram-in-every-state")


def test_an_engine_counts_as_asleep_only_with_sleep_mode() -> None:
    made = plan(2)
    made["states"][0]["members"][0]["vram_gib"] = 3.0
    made["engine"]["gpu_memory_utilization"] = 0.97
    assert said(judge_root(made), "vram-in-every-state")


def test_what_the_deployments_really_ask_for_is_added_up() -> None:
    judge_root(plan())
    there = resources()
    there["engine"] = (DEPLOYMENT, with_arguments("--gpu-memory-utilization=0.93"))
    assert "0.93 × 31.36" in said(judge_stack(there), "vram-in-every-state-deployed")


def test_a_gpu_pod_scaled_to_zero_still_counts() -> None:
    judge_root(together())
    there = resources(4)
    assert there["tts"][1]["spec"]["replicas"] == 0
    assert "coqui-tts 12.00" in said(judge_stack(there), "vram-in-every-state-deployed")


def test_a_gpu_pod_that_no_state_holds_is_refused() -> None:
    judge_root(plan())
    found = judge_stack(resources(3) | {"tts": (DEPLOYMENT, forge.tts())})
    assert "in no GPU state of phase 3" in said(found, "vram-in-every-state-deployed")


def test_a_gpu_pod_beside_the_root_is_seen_too() -> None:
    judge_root(plan())
    found = judge_stack(resources(3), outside={"tts": (DEPLOYMENT, forge.tts())})
    assert "coqui-tts takes 12.00 GiB" in said(found, "vram-in-every-state-deployed")


@pytest.mark.parametrize("annotation", [None, "many", "-3", "nan", "inf"])
def test_a_share_that_nothing_tells_is_refused(annotation: str | None) -> None:
    judge_root(plan(4))
    made = forge.tts()
    made["spec"]["template"]["metadata"]["annotations"] = (
        {} if annotation is None else {"synapse/vram-gib": annotation}
    )
    found = judge_stack(resources(4) | {"tts": (DEPLOYMENT, made)})
    assert "synapse/vram-gib" in said(found, "vram-in-every-state-deployed")


@pytest.mark.parametrize(
    "words",
    [
        ["--gpu-memory-utilization", "0.93"],
        ["--gpu_memory_utilization=0.93"],
        ["--gpu-memory-util=0.93"],
        ["--gpu-memory-utilization=0.10", "--gpu-memory-utilization=0.93"],
        ["--gpu-memory-utilization=$(SHARE)"],
    ],
)
def test_every_spelling_of_a_flag_is_read(words: list[str]) -> None:
    judge_root(plan())
    made = with_arguments(*words, without="--gpu")
    (container,) = made["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "SHARE", "value": "0.93"}]
    found = judge_stack(resources() | {"engine": (DEPLOYMENT, made)})
    assert "0.93 × 31.36" in said(found, "vram-in-every-state-deployed")


def test_a_command_for_a_shell_is_read() -> None:
    judge_root(plan())
    made = forge.engine()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    del container["args"]
    container["command"] = [
        "sh",
        "-c",
        f"exec vllm serve {forge.REPOSITORY} --gpu-memory-utilization 0.93 --max-model-len 8k",
    ]
    found = judge_stack(resources() | {"engine": (DEPLOYMENT, made)})
    assert "0.93 × 31.36" in said(found, "vram-in-every-state-deployed")


def test_without_a_flag_the_engines_default_counts() -> None:
    tight = plan()
    tight["gpu"]["budget_gib"] = 29
    judge_root(tight)
    made = with_arguments(without="--gpu")
    found = judge_stack(resources() | {"engine": (DEPLOYMENT, made)})
    assert "0.90 × 31.36" in said(found, "vram-in-every-state-deployed")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--gpu-memory-utilization=1.5"], "above 0 and at most 1"),
        (["--gpu-memory-utilization=$SHARE"], "above 0 and at most 1"),
        (["--kv-cache-memory-bytes=8000000000"], "sets the share aside"),
        (["--config=/etc/engine.yaml"], "hides the engine's flags"),
        (["--max-model-len=auto"], "positive whole number"),
        (["--model=nobody/nothing"], "nobody/nothing"),
    ],
)
def test_flags_that_cannot_be_judged_are_refused(words: list[str], reason: str) -> None:
    judge_root(plan())
    found = judge_resource(DEPLOYMENT, with_arguments(*words))
    assert reason in said(found, "engine-fits-its-share")


def test_claims_of_a_state_beyond_the_nodes_gpus_are_refused() -> None:
    made = together(tts_gib=2.0, fraction=0.5)
    assert not said(judge_root(made), "gpu-count")
    made["gpu"]["devices"] = 1
    found = judge_all(made, resources(4))
    assert "vllm-inference 1 + coqui-tts 1 = 2 > 1" in said(found, "gpu-count")
    assert "= 2 > 1" in said(found, "gpu-count-deployed")


def _replicas(made: Json) -> None:
    made["spec"]["replicas"] = 2.0


def _unclaimed(made: Json) -> None:
    resources_of = made["spec"]["template"]["spec"]["containers"][0]["resources"]
    for bound in resources_of.values():
        del bound["nvidia.com/gpu"]


def _two(made: Json) -> None:
    made["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "2"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_replicas, "2 replicas on the GPU"),
        (_unclaimed, "claims none"),
        (_two, "claims 2 GPUs > 1"),
    ],
)
def test_a_gpu_workload_is_judged_by_itself(change: object, reason: str) -> None:
    judge_root(plan())
    made = forge.engine()
    assert callable(change)
    change(made)
    assert reason in said(judge_resource(DEPLOYMENT, made), "gpu-count")


def test_an_engine_that_does_not_start_in_its_share_is_refused() -> None:
    made = plan()
    made["engine"]["gpu_memory_utilization"] = 0.22
    message = said(judge_root(made), "engine-fits-its-share")
    assert "0.22 × 31.36 = 6.90 GiB" in message
    assert "raise engine.gpu_memory_utilization to 0.24" in message
    made["engine"]["gpu_memory_utilization"] = 0.24
    assert not said(judge_root(made), "engine-fits-its-share")


def test_the_deployed_engine_is_judged_by_its_own_flags() -> None:
    judge_root(plan())
    long = ("--max-model-len=131072", "--gpu-memory-utilization=0.70")
    found = judge_resource(DEPLOYMENT, with_arguments(*long))
    assert "KV cache of 131072 tokens 16.00" in said(found, "engine-fits-its-share")
    smaller = with_arguments(*long, "--kv-cache-dtype=fp8")
    assert not said(judge_resource(DEPLOYMENT, smaller), "engine-fits-its-share")


def test_sglang_is_judged_by_its_own_flags() -> None:
    judge_root(plan())
    made = with_arguments(without="--")
    (container,) = made["spec"]["template"]["spec"]["containers"]
    container["image"] = "docker.io/lmsysorg/sglang:v0.5.4"
    container["command"] = ["python3", "-m", "sglang.launch_server"]
    container["args"] = [f"--model-path={forge.REPOSITORY}", "--mem-fraction-static", "0.2"]
    container["args"] += ["--context-length=8192"]
    message = said(judge_resource(DEPLOYMENT, made), "engine-fits-its-share")
    assert "0.20 × 31.36 = 6.27 GiB" in message
    assert "activations" not in message


def test_more_parallel_than_claimed_is_refused() -> None:
    judge_root(plan())
    found = judge_resource(DEPLOYMENT, with_arguments("--tensor-parallel-size=2"))
    assert "splits its model over 2 GPUs" in said(found, "engine-fits-its-share")


@settings(deadline=None)
@given(
    shares=st.lists(st.floats(0, 40), min_size=1, max_size=5),
    budget=st.floats(1, 40),
    reserve=st.floats(0, 10),
    sharing=st.sampled_from(["exclusive", "concurrent"]),
    legacy=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_no_set_of_states_over_the_ceiling_passes(
    shares: list[float], budget: float, reserve: float, sharing: str, legacy: list[bool]
) -> None:
    made = plan()
    made["gpu"] |= {"budget_gib": budget, "reserve_gib": reserve, "sharing": sharing}
    blank = made["workloads"][0]
    made["workloads"] = [
        blank
        | {
            "name": f"w{index}",
            "kind": "legacy" if old else "deployment",
            "phases": [3],
            "vram_gib": gib,
        }
        for index, (gib, old) in enumerate(zip(shares, legacy, strict=False))
    ]
    made["states"], made["transitions"] = [], []
    olds = [gib for gib, old in zip(shares, legacy, strict=False) if old]
    ours = [gib for gib, old in zip(shares, legacy, strict=False) if not old]
    always = sum(olds)
    highest = always + (sum(ours) if sharing == "concurrent" else max(ours, default=0.0))
    ceiling = min(budget, forge.TOTAL_GIB - reserve)
    refused = "vram-in-every-state" in rules(judge_root(made))
    if highest > ceiling + 0.01:
        assert refused
    if highest <= ceiling:
        assert not refused
