"""What an engine (vLLM) takes of a GPU, and whether it can start with that.

The engine takes `utilization x total memory`, subtracts weights, the activation peak that it
measures with a dummy batch, its non-torch allocations and (from 0.21) its CUDA graphs, and makes
the rest its KV cache. It refuses to start when that cannot hold one sequence of `max_model_len`.

The constants were fitted on start-up logs that people published: tests/data/memory, with the error
left over in tests/unit/test_memory_against_reports.py. All sizes are GiB. SGLang divides its memory
by the same parts (`mem_fraction_static` holds weights and cache, the rest is left outside), so the
same sum serves it as an estimate; no SGLang log was there to fit on.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from synapse.catalogue.release import EngineRelease, Sampler
from synapse.catalogue.schema import Architecture, Gpu, ModelFormat
from synapse.catalogue.units import BYTES_PER_GIB

KvCacheDtype = Literal["auto", "fp8"]
KV_BYTES: Final[dict[KvCacheDtype, int]] = {"auto": 2, "fp8": 1}
BLOCK_TOKENS: Final = 16
"""Tokens in a block of the paged cache; a sequence takes whole blocks."""

SAMPLER_BYTES_PER_LOGIT: Final[dict[Sampler, float]] = {
    "v0": 38.0,
    "v1-sort": 38.0,
    "v1-lean": 14.65,
}
"""Peak of one sampling step over `max_num_seqs x vocab` logits. 38 B is the sorting top-k/top-p:
logits in 16 and 32 bit, their sorted copy, 64-bit indices, probabilities. From 0.17 on nothing is
sorted. FlashInfer's sampler (0.22 on, where it is installed) takes less; too few logs to fit it."""

MLP_BYTES_PER_ACTIVATION: Final = 6
"""The MLP at its peak: gate and up in 16 bit and their product, 2 + 2 + 2 B (vllm#10517)."""

RESIDUAL_COPIES: Final = 2
"""16-bit hidden states of the whole batch that stay alive while the sampler runs."""

NON_TORCH_GIB: Final = {"v0": 0.1, "v1": 0.25}
NON_TORCH_PARALLEL_GIB: Final = {"v0": 0.25, "v1": 2.1}
"""Per GPU with tensor parallelism: NCCL's buffers (2.07 and 2.10 printed by 0.19 at TP 2)."""

REPACK_GIB: Final = 0.5
"""4-bit weights are repacked at load for their kernels. 4 of 5 reports (7B to 14B, AWQ and GPTQ)
have 0.5 to 0.9 GiB less cache than the other terms explain; that repacking is why, is inferred."""
REPACKED_FORMATS: Final = frozenset({"awq-int4", "gptq-int4", "nvfp4"})

GRAPHS_BASE_GIB: Final = 0.1
GRAPHS_FULL_SET_GIB: Final = 0.2
GRAPHS_FULL_SET_GIB_PER_LAYER: Final = 0.0187
FULL_SET_GRAPHS: Final = 102
"""CUDA graphs from 0.17 on: a pool, and a part that grows with layers and with the graphs' number.
A full set of 102 is what 512 sequences or more capture: 14 reports of it (28 to 80 layers) are met
within 0.3 GiB; 54 graphs (0.22, 28 layers) took 0.37, this says 0.48."""
LARGEST_CAPTURE: Final = 512
OLDER_GRAPHS_GIB_PER_LAYER: Final = 0.06
"""Before 0.17: 2.24 GiB at 36 layers; scattered (0.1 to 3.46), and always outside the budget."""

CUDA_CONTEXT_GIB: Final = 0.4
"""The process's CUDA context, which no engine counts: nvidia-smi showed 0.36 GiB more than budget
and graphs (the 0.9.2 / A100 report)."""

SAFETY_MARGIN_GIB: Final = 0.7
"""What a verdict keeps back for the formula's own error: no clean report loses more than this."""

BIG_CARD_GIB: Final = 70
V1_DEFAULTS: Final = (256, 2048)
V1_BIG_CARD_DEFAULTS: Final = (1024, 8192)
V0_MAX_NUM_SEQS: Final = 256
V0_CHUNKED_ABOVE_TOKENS: Final = 32768
V0_CHUNK_TOKENS: Final = 2048


@dataclass(frozen=True, kw_only=True)
class EngineWorkload:
    """One engine as it would be started; None leaves a value to the engine's own default."""

    architecture: Architecture
    format: ModelFormat
    gpu: Gpu
    release: EngineRelease
    utilization: float
    max_model_len: int
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: KvCacheDtype = "auto"
    tensor_parallel: int = 1
    enforce_eager: bool = False


@dataclass(frozen=True, kw_only=True)
class EngineMemory:
    """The sum of one engine on one GPU, each term by its name, in GiB."""

    share_gib: float
    weights_gib: float
    activation_gib: float
    non_torch_gib: float
    repack_gib: float
    graphs_gib: float
    graphs_inside_budget: bool
    kv_bytes_per_token: int
    one_sequence_gib: float
    margin_gib: float
    max_num_seqs: int
    max_num_batched_tokens: int

    @property
    def fixed_gib(self) -> float:
        """What is gone from the share before the first byte of cache."""
        fixed = self.weights_gib + self.activation_gib + self.non_torch_gib + self.repack_gib
        return fixed + (self.graphs_gib if self.graphs_inside_budget else 0.0)

    @property
    def kv_available_gib(self) -> float:
        """What is left for the KV cache; negative when not even the rest fits."""
        return self.share_gib - self.fixed_gib

    @property
    def kv_tokens(self) -> int:
        """Tokens the cache holds, as the engine prints them ("GPU KV cache size")."""
        return max(0, math.floor(self.kv_available_gib * BYTES_PER_GIB / self.kv_bytes_per_token))

    @property
    def required_gib(self) -> float:
        """The least share that starts: all but the cache, one full sequence, the margin."""
        return self.fixed_gib + self.one_sequence_gib + self.margin_gib

    @property
    def headroom_gib(self) -> float:
        """What the share has over the required; below zero it does not fit."""
        return self.share_gib - self.required_gib

    @property
    def fits(self) -> bool:
        """Whether it starts even if the formula is wrong by the margin."""
        return self.headroom_gib >= 0

    @property
    def tight(self) -> bool:
        """Whether it may start, but only if the formula is right."""
        return -self.margin_gib <= self.headroom_gib < 0

    @property
    def outside_gib(self) -> float:
        """What the process takes beside its share: the CUDA context, and graphs before 0.21."""
        return CUDA_CONTEXT_GIB + (0.0 if self.graphs_inside_budget else self.graphs_gib)

    @property
    def peak_gib(self) -> float:
        """What the card really loses to this engine."""
        return self.share_gib + self.outside_gib


def engine_memory(workload: EngineWorkload) -> EngineMemory:
    """The memory of one engine on each of its GPUs."""
    release = workload.release
    generation = "v1" if release.v1 else "v0"
    parallel = workload.tensor_parallel > 1
    non_torch = (NON_TORCH_PARALLEL_GIB if parallel else NON_TORCH_GIB)[generation]
    seqs, batched_tokens = batch_limits(workload)
    repacked = workload.format.name in REPACKED_FORMATS
    return EngineMemory(
        share_gib=workload.utilization * workload.gpu.total_gib,
        weights_gib=workload.format.weights_gib / workload.tensor_parallel,
        activation_gib=_activation_gib(workload, seqs, batched_tokens),
        non_torch_gib=non_torch,
        repack_gib=REPACK_GIB if repacked else 0.0,
        graphs_gib=_graphs_gib(workload, seqs),
        graphs_inside_budget=release.graphs_inside_budget,
        kv_bytes_per_token=kv_bytes_per_token(workload),
        one_sequence_gib=_one_sequence_gib(workload, batched_tokens),
        margin_gib=SAFETY_MARGIN_GIB,
        max_num_seqs=seqs,
        max_num_batched_tokens=batched_tokens,
    )


def minimum_utilization(workload: EngineWorkload) -> float | None:
    """The least utilisation, in steps of 0.01, that fits; None if the whole card is too small."""
    steps = math.ceil(round(engine_memory(workload).required_gib / workload.gpu.total_gib * 100, 9))
    return steps / 100 if steps <= 100 else None


def batch_limits(workload: EngineWorkload) -> tuple[int, int]:
    """(max_num_seqs, max_num_batched_tokens) with the engine's defaults for card and version."""
    if workload.release.v1:
        hopper_or_newer = float(workload.gpu.compute_capability) >= 9.0
        big = workload.gpu.total_gib >= BIG_CARD_GIB and hopper_or_newer
        seqs, tokens = V1_BIG_CARD_DEFAULTS if big else V1_DEFAULTS
    else:
        seqs = V0_MAX_NUM_SEQS
        tokens = V0_CHUNK_TOKENS if _v0_chunked(workload) else workload.max_model_len
        tokens = max(tokens, V0_CHUNK_TOKENS)
    return workload.max_num_seqs or seqs, workload.max_num_batched_tokens or tokens


def kv_bytes_per_token(workload: EngineWorkload) -> int:
    """Cache bytes of one token on one GPU: 2 (K and V) x layers x heads x head size x bytes."""
    full, local = _cache_layers(workload)
    return (full + local) * _layer_bytes_per_token(workload)


def _activation_gib(workload: EngineWorkload, seqs: int, batched_tokens: int) -> float:
    """The larger of two peaks: the MLP over a full batch, the sampler over all sequences."""
    model = workload.architecture
    width = model.intermediate / workload.tensor_parallel + model.hidden
    mlp = batched_tokens * MLP_BYTES_PER_ACTIVATION * width
    if not workload.release.v1 and _v0_chunked(workload):
        return mlp / BYTES_PER_GIB  # a chunk ends no prompt, so profiling never samples
    sampler = seqs * model.vocab * SAMPLER_BYTES_PER_LOGIT[workload.release.sampler]
    residual = batched_tokens * model.hidden * 2 * RESIDUAL_COPIES
    return max(mlp, sampler + residual) / BYTES_PER_GIB


def _v0_chunked(workload: EngineWorkload) -> bool:
    return workload.max_model_len > V0_CHUNKED_ABOVE_TOKENS


def _graphs_gib(workload: EngineWorkload, seqs: int) -> float:
    if workload.enforce_eager:
        return 0.0
    layers = workload.architecture.layers
    if workload.release.sampler != "v1-lean":
        return layers * OLDER_GRAPHS_GIB_PER_LAYER
    graphs = _captures(2 * seqs) + _captures(seqs)  # piecewise ones, and full ones for decoding
    full_set = GRAPHS_FULL_SET_GIB + layers * GRAPHS_FULL_SET_GIB_PER_LAYER
    return GRAPHS_BASE_GIB + full_set * graphs / FULL_SET_GRAPHS


def _captures(largest: int) -> int:
    """Batch sizes captured up to `largest`: 1, 2, 4, by 8 to 256, by 16 to 512."""
    largest = min(largest, LARGEST_CAPTURE)
    small = sum(size <= largest for size in (1, 2, 4))
    return small + min(largest, 256) // 8 + max(0, largest - 256) // 16


def _cache_layers(workload: EngineWorkload) -> tuple[int, int]:
    """(full, local) layers as the cache counts them.

    With a hybrid cache, layers share pools in groups of equal size, and the last group of local
    layers is padded: Gemma 3 27B counts 70 layers for its 62 (10 full, 52 local in groups of 10).
    """
    model = workload.architecture
    window = model.sliding_window
    if window is None or not workload.release.hybrid_kv_manager:
        return model.layers, 0
    full = model.layers - window.local_layers
    group = min(full, window.local_layers)
    return _round_up(full, group), _round_up(window.local_layers, group)


def _layer_bytes_per_token(workload: EngineWorkload) -> int:
    model = workload.architecture
    heads = max(1, model.kv_heads // workload.tensor_parallel)
    return 2 * heads * model.head_dim * KV_BYTES[workload.kv_cache_dtype]


def _one_sequence_gib(workload: EngineWorkload, batched_tokens: int) -> float:
    """The cache of one sequence of max_model_len; a local layer keeps its window and one batch."""
    full, local = _cache_layers(workload)
    tokens = _round_up(workload.max_model_len, BLOCK_TOKENS)
    window = workload.architecture.sliding_window
    kept = tokens
    if window is not None:
        kept = min(tokens, _round_up(window.window_tokens + batched_tokens, BLOCK_TOKENS))
    layer_tokens = full * tokens + local * kept
    return layer_tokens * _layer_bytes_per_token(workload) / BYTES_PER_GIB


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step
