"""The engine's part of the plan: its share of the GPU, and whether it starts within it."""

import math
from dataclasses import replace

from synapse.catalogue import Catalogue
from synapse.plan.memory import (
    EngineMemory,
    EngineWorkload,
    engine_memory,
    minimum_utilization,
)
from synapse.plan.model import EnginePlan, GpuBudget, Line
from synapse.settings.settings import Settings
from synapse.settings.workloads import Backend, EngineKind

# Taken unless more is needed or less is free: the implementation plan's figure for the forge.
_USUAL_UTILIZATION = 0.75
_STEP = 0.01
# SGLang has no memory reports in the data; its needs are taken from a recent vLLM.
_VLLM_LIKE_SGLANG = "0.20.2"
_IMAGES = {EngineKind.VLLM: "vllm-rtx5090", EngineKind.SGLANG: "sglang"}


def plan_engine(
    settings: Settings, catalogue: Catalogue, gpu: GpuBudget, others_gib: float
) -> EnginePlan:
    """Plan the engine beside `others_gib` of VRAM that may be taken while it runs."""
    wanted = settings.engine
    image = wanted.image or catalogue.image(_IMAGES[wanted.kind]).reference
    version = wanted.version or _version(settings, catalogue)
    workload = _workload(settings, catalogue, version)
    utilization = wanted.gpu_memory_utilization or _choose(workload, gpu, others_gib)
    memory = engine_memory(replace(workload, utilization=utilization))
    found = catalogue.model(wanted.model)
    weights = found.format(wanted.weights)
    repository = weights.hugging_face[0]
    public_names = tuple(
        route.name for route in settings.gateway.routes if route.backend is Backend.ENGINE
    )
    static_only = wanted.kind is EngineKind.SGLANG
    return EnginePlan(
        kind=wanted.kind.value,
        service=wanted.service_name,
        image=image,
        version=version,
        unsupported=workload.release.refusal(workload.gpu.compute_capability) or "",
        model=f"{wanted.model}/{wanted.weights}",
        repository=repository,
        gated=weights.gated,
        served_names=(*public_names, *wanted.also_served_as, repository),
        gpu_memory_utilization=utilization,
        max_model_len=wanted.max_model_len,
        longest_model_len=found.architecture.max_context_tokens,
        max_num_seqs=wanted.max_num_seqs,
        max_num_batched_tokens=wanted.max_num_batched_tokens,
        kv_cache_dtype=wanted.kv_cache_dtype,
        enforce_eager=wanted.enforce_eager,
        attention_by="flag" if workload.release.attention_backend_flag else "environment",
        sleep_mode=wanted.sleep_mode is not None,
        share_gib=memory.share_gib,
        needs=_static_needs(memory) if static_only else _needs(memory),
        outside_gib=memory.outside_gib + (_dynamic_gib(memory) if static_only else 0),
        kv_gib=memory.kv_available_gib,
        kv_tokens=memory.kv_tokens,
        weights_gib=weights.weights_gib,
    )


def _version(settings: Settings, catalogue: Catalogue) -> str:
    wanted = settings.engine
    if wanted.image is None:
        return catalogue.image(_IMAGES[wanted.kind]).version
    return wanted.image.partition("@")[0].rpartition(":")[2].removeprefix("v")


def _workload(settings: Settings, catalogue: Catalogue, version: str) -> EngineWorkload:
    wanted = settings.engine
    model = catalogue.model(wanted.model)
    vllm_version = version if wanted.kind is EngineKind.VLLM else _VLLM_LIKE_SGLANG
    return EngineWorkload(
        architecture=model.architecture,
        format=model.format(wanted.weights),
        gpu=catalogue.gpu(settings.gpu.model),
        release=catalogue.vllm.release(vllm_version),
        utilization=_USUAL_UTILIZATION,
        max_model_len=wanted.max_model_len,
        max_num_seqs=wanted.max_num_seqs,
        max_num_batched_tokens=wanted.max_num_batched_tokens,
        kv_cache_dtype=wanted.kv_cache_dtype,
        enforce_eager=wanted.enforce_eager,
    )


def _choose(workload: EngineWorkload, gpu: GpuBudget, others_gib: float) -> float:
    """The usual utilisation, or more if the model needs it, but never more than is free."""
    needed = max(_USUAL_UTILIZATION, minimum_utilization(workload) or 1.0)
    free_gib = gpu.ceiling_gib - others_gib - engine_memory(workload).outside_gib
    return max(_STEP, min(needed, rounded_down(free_gib / gpu.total_gib)))


def rounded_down(utilization: float) -> float:
    """A utilisation on the grid of hundredths, not above the given one."""
    return round(math.floor(utilization / _STEP + 1e-9) * _STEP, 2)


def _needs(memory: EngineMemory) -> tuple[Line, ...]:
    """What vLLM has to fit into its share before it starts."""
    lines = [
        Line(what="weights", gib=memory.weights_gib),
        Line(what="activation peak", gib=memory.activation_gib),
        Line(what="outside PyTorch", gib=memory.non_torch_gib),
        Line(what="weight repacking", gib=memory.repack_gib),
        Line(what="KV cache of one longest sequence", gib=memory.one_sequence_gib),
        Line(what="margin", gib=memory.margin_gib),
    ]
    if memory.graphs_inside_budget:
        lines.insert(4, Line(what="CUDA graphs", gib=memory.graphs_gib))
    return tuple(line for line in lines if line.gib > 0)


def _static_needs(memory: EngineMemory) -> tuple[Line, ...]:
    """SGLang's static fraction holds weights and KV cache alone."""
    return (
        Line(what="weights", gib=memory.weights_gib),
        Line(what="KV cache of one longest sequence", gib=memory.one_sequence_gib),
        Line(what="margin", gib=memory.margin_gib),
    )


def _dynamic_gib(memory: EngineMemory) -> float:
    """What SGLang takes beyond its static fraction."""
    graphs_gib = memory.graphs_gib if memory.graphs_inside_budget else 0
    return memory.activation_gib + memory.non_torch_gib + memory.repack_gib + graphs_gib
