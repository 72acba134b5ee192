"""The engine's part of the plan: its share of the GPU, and whether it starts within it."""

import math
from dataclasses import replace

from synapse.catalogue import Catalogue
from synapse.plan.memory import (
    EngineMemory,
    EngineWorkload,
    engine_memory,
)
from synapse.plan.model import GpuBudget
from synapse.plan.part import Line
from synapse.plan.served import EnginePlan
from synapse.settings.settings import Settings
from synapse.settings.workloads import Backend, EngineKind

# Taken unless more is needed or less is free: the implementation plan's figure for the forge.
_USUAL_UTILIZATION = 0.75
_STEP = 0.01
# SGLang has no memory reports in the data; its needs are taken from a recent vLLM.
_VLLM_LIKE_SGLANG = "0.20.2"
# FlashAttention 3 is broken on consumer Blackwell; FLASH_ATTN falls back to version 2 there.
_ATTENTION_ON = {"12.0": "FLASH_ATTN"}
_IMAGES = {EngineKind.VLLM: "vllm-rtx5090", EngineKind.SGLANG: "sglang"}


def plan_engine(
    settings: Settings, catalogue: Catalogue, gpu: GpuBudget, others_gib: float
) -> EnginePlan:
    """Plan the engine beside `others_gib` of VRAM that may be taken while it runs."""
    wanted = settings.engine
    image = wanted.image or catalogue.image(_IMAGES[wanted.kind]).reference
    version = wanted.named_version or catalogue.image(_IMAGES[wanted.kind]).version
    workload = _workload(settings, catalogue, version)
    utilization = wanted.gpu_memory_utilization or _choose(
        engine_memory(workload), wanted.kind, gpu, others_gib
    )
    memory = engine_memory(replace(workload, utilization=utilization))
    found = catalogue.model(wanted.model)
    weights = found.format(wanted.weights)
    repository = weights.hugging_face[0]
    public_names = tuple(
        route.name for route in settings.gateway.routes if route.backend is Backend.ENGINE
    )
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
        attention_backend=_ATTENTION_ON.get(workload.gpu.compute_capability),
        attention_by="flag" if workload.release.attention_backend_flag else "environment",
        sleep_mode=wanted.sleep_mode is not None,
        share_gib=memory.share_gib,
        needs=_needs(memory, wanted.kind),
        outside_gib=_outside_gib(memory, wanted.kind),
        kv_gib=memory.kv_available_gib,
        kv_tokens=memory.kv_tokens,
        weights_gib=weights.weights_gib,
    )


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


def _choose(memory: EngineMemory, kind: EngineKind, gpu: GpuBudget, others_gib: float) -> float:
    """The usual utilisation, or more if the model needs it, but never more than is free."""
    needs_gib = sum(line.gib for line in _needs(memory, kind))
    wanted = min(1.0, max(_USUAL_UTILIZATION, rounded_up(needs_gib / gpu.total_gib)))
    free_gib = gpu.ceiling_gib - others_gib - _outside_gib(memory, kind)
    return max(_STEP, min(wanted, rounded_down(free_gib / gpu.total_gib)))


def rounded_down(utilization: float) -> float:
    """A utilisation on the grid of hundredths, not above the given one."""
    return round(math.floor(utilization / _STEP + 1e-9) * _STEP, 2)


def rounded_up(utilization: float) -> float:
    """A utilisation on the grid of hundredths, not below the given one."""
    return round(math.ceil(utilization / _STEP - 1e-9) * _STEP, 2)


def _needs(memory: EngineMemory, kind: EngineKind) -> tuple[Line, ...]:
    """What has to fit into the share before the engine starts."""
    if kind is EngineKind.SGLANG:
        return _static_needs(memory)
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


def _outside_gib(memory: EngineMemory, kind: EngineKind) -> float:
    """What the engine takes beyond its share; of SGLang, all that is not in its static fraction."""
    if kind is EngineKind.VLLM:
        return memory.outside_gib
    graphs_gib = memory.graphs_gib if memory.graphs_inside_budget else 0
    dynamic_gib = memory.activation_gib + memory.non_torch_gib + memory.repack_gib + graphs_gib
    return memory.outside_gib + dynamic_gib
