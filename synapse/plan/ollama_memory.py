"""What one model loaded by Ollama (llama.cpp) takes, in GiB of RAM or of VRAM.

Fitted against what people saw: tests/data/memory/ollama.jsonl.
"""

from dataclasses import dataclass
from typing import Final, Literal

from synapse.catalogue.schema import Architecture, ModelFormat
from synapse.catalogue.units import BYTES_PER_GIB

KvCacheType = Literal["f16", "q8_0", "q4_0"]
KV_BYTES: Final[dict[KvCacheType, float]] = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes of one cached value; the quantised types carry a 2-byte scale for each block of 32."""

BATCH_TOKENS: Final = 512
"""Ollama's num_batch: tokens that one pass evaluates."""

RUNNER_OVERHEAD_GIB: Final = 0.5
"""A runner beside weights, cache and buffer: its program, tokenizer, thread stacks, graph nodes.
Old Ollama estimates name 0.15 to 0.8 GiB more than the parts that they list."""


@dataclass(frozen=True, kw_only=True)
class OllamaWorkload:
    """One model as Ollama loads it. `num_ctx` is the context of one request."""

    architecture: Architecture
    format: ModelFormat
    num_ctx: int
    num_parallel: int = 1
    kv_cache_type: KvCacheType = "f16"
    flash_attention: bool = False
    embedding: bool = False


@dataclass(frozen=True, kw_only=True)
class OllamaModelMemory:
    """The sum of one loaded model, each term by its name, in GiB."""

    weights_gib: float
    kv_gib: float
    compute_gib: float
    overhead_gib: float

    @property
    def total_gib(self) -> float:
        """All that the model takes while it is loaded."""
        return self.weights_gib + self.kv_gib + self.compute_gib + self.overhead_gib


def ollama_model_memory(workload: OllamaWorkload) -> OllamaModelMemory:
    """The memory of one loaded model; weights are counted whole although they are mapped files."""
    return OllamaModelMemory(
        weights_gib=workload.format.weights_gib,
        kv_gib=_kv_gib(workload),
        compute_gib=_compute_gib(workload),
        overhead_gib=RUNNER_OVERHEAD_GIB,
    )


def _kv_gib(workload: OllamaWorkload) -> float:
    """2 (K and V) x layers x heads x head size x bytes, for every token of every request.

    A layer with a sliding window keeps the window of each request and one batch.
    """
    if workload.embedding:
        return 0.0  # an encoder reads its text once and keeps nothing
    model = workload.architecture
    tokens = workload.num_ctx * workload.num_parallel
    layer_tokens = model.layers * tokens
    if model.sliding_window is not None:
        kept = model.sliding_window.window_tokens * workload.num_parallel + BATCH_TOKENS
        layer_tokens -= model.sliding_window.local_layers * max(0, tokens - kept)
    per_layer_token = 2 * model.kv_heads * model.head_dim * KV_BYTES[workload.kv_cache_type]
    return layer_tokens * per_layer_token / BYTES_PER_GIB


def _compute_gib(workload: OllamaWorkload) -> float:
    """The graph's buffer in 32-bit floats for one batch: activations, or logits if they are more.

    Without flash attention every head holds its scores against the whole context: the 0.55 GiB
    that Ollama printed for an 8B at 8192 tokens are met to 1 %. Too little for an image model at a
    long context: Mistral Small 3.1 at 128k printed 13.3 GiB, this says 8.3.
    """
    model = workload.architecture
    width = 1 + 4 * model.hidden
    if not workload.flash_attention:
        width += workload.num_ctx * workload.num_parallel * (1 + model.attention_heads)
    logits = model.hidden + (0 if workload.embedding else model.vocab)
    return 4 * BATCH_TOKENS * max(width, logits) / BYTES_PER_GIB
