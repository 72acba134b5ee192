"""The pack's own sum of what Ollama takes in RAM."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_policy import facts
from synapse_policy.containers import Container
from synapse_policy.reading import UnreadableError
from synapse_policy.words import Addend

if TYPE_CHECKING:
    from synapse.catalogue.schema import Architecture

_GIB = 2**30
_VALUE_BYTES = {"f16": 2.0, "bf16": 2.0, "q8_0": 1.0625, "q4_0": 0.5625}
"""Bytes of a cached value: blocks of 32 with a 16-bit scale where it is quantised."""
_BATCH = 512
"""Tokens of one pass (Ollama's num_batch)."""
_RUNNER_GIB = 0.4
"""Program, tokenizer and buffers of a loaded model: 0.15 to 0.8 GiB in old logs."""
_AUTO_SLOTS_ON_CPU = 3
_DEFAULT_CONTEXT = 4096
_ON = ("1", "true")


@dataclass(frozen=True, kw_only=True)
class OllamaAsk:
    """What Ollama is told."""

    slots: int
    parallel: int
    context: int
    cache_type: str
    flash_attention: bool


def asked_by(container: Container) -> OllamaAsk:
    """Read Ollama's container; what it does not say is Ollama's default on a CPU."""
    flash = container.setting("OLLAMA_FLASH_ATTENTION", "").strip().lower() in _ON
    cache_type = container.setting("OLLAMA_KV_CACHE_TYPE", "").strip() or "f16"
    if cache_type not in _VALUE_BYTES:
        raise UnreadableError(
            f"OLLAMA_KV_CACHE_TYPE is {cache_type!r}; Ollama knows {', '.join(_VALUE_BYTES)}"
        )
    return OllamaAsk(
        slots=container.count("OLLAMA_MAX_LOADED_MODELS", 0) or _AUTO_SLOTS_ON_CPU,
        parallel=container.count("OLLAMA_NUM_PARALLEL", 1) or 1,
        context=container.count("OLLAMA_CONTEXT_LENGTH", 0) or _DEFAULT_CONTEXT,
        # Without flash attention Ollama keeps the cache in 16 bit, whatever it is told.
        cache_type=cache_type if flash else "f16",
        flash_attention=flash,
    )


def model_gib(tag: str, ask: OllamaAsk) -> float:
    """Return the RAM of one loaded model: weights, KV cache of all requests, buffers, runner."""
    found = facts.ollama_weights(tag)
    model = found.model.architecture
    encoder = found.model.kind == "embedding"
    tokens = ask.context * ask.parallel
    cached = 0 if encoder else _cached_values(model, tokens, ask.parallel)
    scores = 0 if ask.flash_attention else model.attention_heads * tokens
    widest = max(scores, 0 if encoder else model.vocab)
    working: float = widest * _BATCH * 4 + cached * _VALUE_BYTES[ask.cache_type]
    return found.format.weights_gib + working / _GIB + _RUNNER_GIB


def _cached_values(model: "Architecture", tokens: int, parallel: int) -> int:
    """Keys and values; a layer with a window keeps that of each request, and one batch."""
    whole, windowed, kept = model.layers, 0, 0
    if model.sliding_window:
        windowed = model.sliding_window.local_layers
        whole -= windowed
        kept = min(tokens, model.sliding_window.window_tokens * parallel + _BATCH)
    return 2 * model.kv_heads * model.head_dim * (whole * tokens + windowed * kept)


def loaded(tags: Sequence[str], ask: OllamaAsk) -> tuple[Addend, ...]:
    """Return the costliest set of models that the slots allow at once."""
    sizes = sorted((Addend(tag, model_gib(tag, ask)) for tag in tags), key=lambda one: -one.gib)
    return tuple(sizes[: ask.slots])
