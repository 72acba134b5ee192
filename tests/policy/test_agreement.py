"""Two locks: where the plan and the resources say different things, that is a violation itself."""

from collections.abc import Callable

import pytest

from tests.policy import forge
from tests.policy.forge import Json, plan, resources
from tests.policy.judge import judge_resource, judge_root, judge_stack, said

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def _set(*path: str | int, by: float) -> Callable[[Json], None]:
    def change(made: Json) -> None:
        holder = made
        for key in path[:-1]:
            holder = holder[key]  # type: ignore[index]  # a path through JSON
        holder[path[-1]] += by  # type: ignore[index]

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_set("gpu", "total_gib", by=0.64), "gpu.total_gib"),
        (_set("gpu", "ceiling_gib", by=0.36), "gpu.ceiling_gib"),
        (_set("gpu", "devices", by=1), "gpu.devices"),
        (_set("engine", "share_gib", by=-0.1), "engine.share_gib"),
        (_set("engine", "needs_gib", by=-2), "engine.needs_gib"),
        (_set("engine", "needs", 0, "gib", by=-0.1), "engine.needs, weights"),
        (_set("engine", "needs", 1, "gib", by=-0.2), "engine.needs, KV cache"),
        (_set("engine", "needs_gib", by=4), "engine.needs_gib"),
        (_set("engine", "outside_gib", by=-1.2), "engine.outside_gib"),
        (_set("workloads", 2, "vram_gib", by=-1), "workload vllm-inference vram_gib"),
        (_set("states", 0, "sum_gib", by=-3), 'state "chat" sum_gib'),
        (_set("states", 1, "sum_gib", by=-0.1), 'state "speech" sum_gib'),
        (_set("states", 1, "members", 0, "gpus", by=-1), "coqui-tts gpus"),
        (_set("transitions", 1, "peak_gib", by=-3), '"speech" to "chat" peak_gib'),
        (_set("ollama", "models", 1, "ram_gib", by=-2), "llama3.1:8b ram_gib"),
        (_set("ollama", "models", 1, "file_gib", by=-1), "llama3.1:8b file_gib"),
        (_set("workloads", 0, "planned_ram_gib", by=-5), "workload ollama planned_ram_gib"),
        (_set("workloads", 0, "pod", "memory_limit_gib", by=-1), "workload ollama memory_limit"),
        (_set("ram", 1, "sum_gib", by=-0.5), "RAM limits in phase 1, no GPU pod"),
        (_set("ram", 0, "sum_gib", by=-9), "RAM planned in phase 1, no GPU pod"),
        (_set("ram", 2, "sum_gib", by=1), "RAM requests in phase 1, no GPU pod"),
        (_set("ram", 1, "limit_gib", by=1), "limit of RAM limits in phase 1"),
        (_set("volumes", 0, "sum_gib", by=-1), "files on ollama-models"),
        (_set("volumes", 0, "usable_gib", by=39), "usable_gib of ollama-models"),
    ],
)
def test_a_plan_with_one_wrong_figure_disagrees(change: Callable[[Json], None], what: str) -> None:
    made = plan()
    assert not said(judge_root(made), "plan-agrees")
    change(made)
    message = said(judge_root(made), "plan-agrees")
    assert what in message
    assert "the plan says" in message


@pytest.mark.parametrize("part", ["states", "transitions", "ram"])
def test_a_plan_that_leaves_a_sum_out_disagrees(part: str) -> None:
    made = plan()
    del made[part][0]
    assert "the plan says nothing" in said(judge_root(made), "plan-agrees")


def test_a_plan_that_leaves_a_models_file_out_disagrees() -> None:
    made = plan()
    del made["volumes"][0]["lines"][1]
    assert "llama3.1:8b on a volume" in said(judge_root(made), "plan-agrees")


def _engine_flag(flag: str) -> Callable[[Json], None]:
    def change(made: Json) -> None:
        made["spec"]["template"]["spec"]["containers"][0]["args"].append(flag)

    return change


def _memory(bound: str, quantity: str) -> Callable[[Json], None]:
    def change(made: Json) -> None:
        container = made["spec"]["template"]["spec"]["containers"][0]
        container["resources"][bound]["memory"] = quantity

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_engine_flag("--gpu-memory-utilization=0.76"), "engine.gpu_memory_utilization"),
        (_engine_flag("--max-model-len=4096"), "engine.max_model_len"),
        (_engine_flag("--max-num-seqs=8"), "engine.max_num_seqs"),
        (_engine_flag("--max-num-batched-tokens=4096"), "engine.max_num_batched_tokens"),
        (_engine_flag("--kv-cache-dtype=fp8"), "engine.kv_cache_dtype"),
        (_engine_flag("--enforce-eager"), "engine.enforce_eager"),
        (_engine_flag("--model=Qwen/Qwen2.5-7B-Instruct-AWQ"), "engine.model"),
        (_memory("limits", "33Gi"), "limits.memory"),
        (_memory("requests", "19Gi"), "requests.memory"),
    ],
)
def test_an_engine_that_is_told_something_else_disagrees(
    change: Callable[[Json], None], what: str
) -> None:
    judge_root(plan())
    made = forge.engine()
    assert judge_resource(DEPLOYMENT, made) == []
    change(made)
    assert what in said(judge_resource(DEPLOYMENT, made), "resources-agree")


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("OLLAMA_MAX_LOADED_MODELS", "3", "ollama.max_loaded_models"),
        ("OLLAMA_NUM_PARALLEL", "3", "ollama.num_parallel"),
        ("OLLAMA_CONTEXT_LENGTH", "4096", "ollama.context_tokens"),
    ],
)
def test_an_ollama_that_is_told_something_else_disagrees(
    variable: str, value: str, what: str
) -> None:
    judge_root(plan())
    made = forge.ollama()
    for one in made["spec"]["template"]["spec"]["containers"][0]["env"]:
        if one["name"] == variable:
            one["value"] = value
    assert what in said(judge_resource(DEPLOYMENT, made), "resources-agree")


def test_other_models_than_the_plans_disagree() -> None:
    judge_root(plan())
    made = forge.ollama()
    made["metadata"]["annotations"]["synapse/models"] = "llama3.1:8b"
    assert "ollama.models" in said(judge_resource(DEPLOYMENT, made), "resources-agree")


def test_another_claim_on_the_gpu_disagrees() -> None:
    judge_root(plan(4))
    made = forge.tts()
    made["spec"]["template"]["metadata"]["annotations"]["synapse/vram-gib"] = "11.5"
    found = judge_resource(DEPLOYMENT, made)
    assert "the plan says 12.00 GiB, the resource says 11.50 GiB" in said(found, "resources-agree")


def test_more_replicas_than_planned_disagree() -> None:
    judge_root(plan())
    made = forge.gateway()
    made["spec"]["replicas"] = 3.0
    assert "replicas" in said(judge_resource(DEPLOYMENT, made), "resources-agree")


def test_a_workload_that_the_plan_does_not_know_is_refused() -> None:
    judge_root(plan())
    made = forge.gateway()
    made["metadata"]["name"] = "redis"
    found = judge_resource(DEPLOYMENT, made)
    assert "Deployment 'redis': the plan says nothing" in said(found, "resources-agree")


def test_a_workload_of_a_later_phase_disagrees() -> None:
    judge_root(plan(2))
    found = judge_resource(DEPLOYMENT, forge.gateway())
    assert "phases" in said(found, "resources-agree")


def test_a_claim_of_another_size_or_name_disagrees() -> None:
    judge_root(plan())
    kind = "kubernetes:core/v1:PersistentVolumeClaim"
    claim = resources()["models"][1]
    claim["spec"]["resources"]["requests"]["storage"] = "150Gi"
    assert "storage" in said(judge_resource(kind, claim), "resources-agree")
    claim["metadata"]["name"] = "other"
    assert "claim 'other'" in said(judge_resource(kind, claim), "resources-agree")


def test_more_jobs_than_planned_disagree() -> None:
    judge_root(plan())
    there = resources()
    kind, third = forge.resources()["pull-8b"]
    third["metadata"]["name"] = "ollama-pull-third"
    found = judge_stack(there | {"pull-third": (kind, third)})
    assert "pods of Job ollama-pull" in said(found, "resources-agree-deployed")
