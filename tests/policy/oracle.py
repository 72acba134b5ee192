"""What a config takes in truth, by neither lock's formulas: the least and the most that it may be.

It reads the config alone, with every key that matters written out, for phases 1 to 3. It sums:

- VRAM: utilisation × what the card shows an engine, the driver's context and the CUDA graphs beside
  it, and the VRAM of the old services that are still up in phase 2 and 3; or, in phase 1, theirs.
- Start of the engine: its weights' file, and keys and values of one longest sequence; at most also
  work space, repacked weights, and what the allocator wastes.
- Ollama: of the models that may be loaded at once the largest, each with its file and the keys and
  values of all requests; at most also the scores of a batch in 32 bits, and 2 GiB of buffers.
- Memory limits and requests: of all pods that may run together, Jobs, the CronJob and the gateway's
  surge included, the old services, and in the limits the system's part.
- Disk: the files of each volume, which may fill 80 to 90 % of it, and all claims.

Sizes of files and shapes of models are facts of the catalogue. What is known as a range counts with
its lower end in the least and with its upper end in the most: a config whose least is above a limit
must be refused, and one whose most is below it, with 2 % to spare, must pass.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from synapse.catalogue import load_catalogue
from synapse.catalogue.schema import Model, ModelFormat
from tests.policy.changes import Json

TOTAL_GIB = {
    "rtx-3090": 23.58,
    "rtx-4090": 23.5,
    "rtx-5090": 31.36,
    "l40s": 44.4,
    "a100-80": 79.1,
    "h100-80": 79.18,
}
"""What engines printed, never the figure on the box."""
_CONTEXT_GIB = (0.36, 0.6)
_GRAPHS_GIB = (0.0, 3.46)
"""The most that was ever printed."""
_WORK_GIB, _WORK_ON_A_LARGE_CARD_GIB = 3.5, 8.0
_LARGE_GIB = 70
_PADDING = 1.15
_BUFFERS_GIB = 2.0
_PULL_GIB, _FETCH_GIB, _KUBECTL_GIB = (1.0, 0.5), (2.0, 0.5), (0.25, 0.0625)
"""Limit and request of the pods that the config has no key for, as their manifests show them."""
_FULL, _FULLEST = 0.8, 0.9
"""Parts of a volume that files may fill: the program keeps to the one, the pack to the other."""
_GIB = 2**30


class Need(NamedTuple):
    """GiB that are taken, at the least and at the most."""

    least: float
    most: float


def vram(config: Json) -> Need:
    """VRAM of the costliest of phases 1 to 3."""
    total_gib = TOTAL_GIB[config["gpu"]["model"]]
    share_gib = config["engine"]["gpu_memory_utilization"] * total_gib
    old_gib = [_old(config, phase, "vram_gib") for phase in (1, 2, 3)]
    beside = (low + high for low, high in zip(_CONTEXT_GIB, _GRAPHS_GIB, strict=True))
    least, most = (
        max(old_gib[0], share_gib + more + old_gib[1], share_gib + more + old_gib[2])
        for more in beside
    )
    return Need(least, most)


def engine_start(config: Json) -> Need:
    """The share with which the engine starts."""
    engine = config["engine"]
    model, weights = _engine_model(config)
    value_bytes = 1 if engine["kv_cache_dtype"] == "fp8" else 2
    cache = _cache(model, engine["max_model_len"], value_bytes)
    is_large = TOTAL_GIB[config["gpu"]["model"]] >= _LARGE_GIB
    work_gib = _WORK_ON_A_LARGE_CARD_GIB if is_large else _WORK_GIB
    return Need(
        weights.weights_gib + cache.least, weights.weights_gib + _PADDING * cache.most + work_gib
    )


def share_gib(config: Json) -> float:
    """What the engine may take of the card."""
    fraction: float = config["engine"]["gpu_memory_utilization"]
    return fraction * TOTAL_GIB[config["gpu"]["model"]]


def ollama(config: Json) -> Need:
    """RAM of the models that Ollama may hold at once."""
    found = [_loaded(config, tag) for tag in config["ollama"]["models"]]
    slots = config["ollama"]["max_loaded_models"]
    return Need(
        _largest((one.least for one in found), slots), _largest((one.most for one in found), slots)
    )


def memory(config: Json, bound: str) -> Need:
    """All memory `limits` or `requests` of the costliest of phases 1 to 3."""
    key = {"limits": "memory_limit_gib", "requests": "memory_request_gib"}[bound]
    which = 0 if bound == "limits" else 1
    of_ollama = config["ollama"]["memory_gib" if bound == "limits" else "memory_request_gib"]
    gateway = config["gateway"]
    phase_1 = of_ollama + len(config["ollama"]["models"]) * _PULL_GIB[which]
    phase_2 = phase_1 + config["engine"][key] + _FETCH_GIB[which]
    phase_3 = phase_2 + (gateway["replicas"] + 1) * gateway[key] + _KUBECTL_GIB[which]
    system_gib = config["node"]["system_memory_gib"] if bound == "limits" else 0.0
    total_gib = system_gib + max(
        gib + _old(config, phase, "memory_gib")
        for phase, gib in ((1, phase_1), (2, phase_2), (3, phase_3))
    )
    return Need(total_gib, total_gib + _KUBECTL_GIB[which])  # an operator's `kubectl run`


def planned_use(config: Json) -> Need:
    """RAM in use: what Ollama holds, what the others request, the system's part."""
    rest = memory(config, "requests").most - config["ollama"]["memory_request_gib"]
    held = ollama(config)
    system_gib = config["node"]["system_memory_gib"]
    return Need(held.least + rest + system_gib - _KUBECTL_GIB[1], held.most + rest + system_gib)


def models_volume(config: Json) -> Need:
    """The volume that Ollama's files ask for."""
    files_gib = sum(_ollama_model(tag)[1].disk_gib for tag in config["ollama"]["models"])
    return Need(files_gib / _FULLEST, files_gib / _FULL)


def cache_volume(config: Json) -> Need:
    """The volume that the engine's files ask for."""
    files_gib = _engine_model(config)[1].disk_gib
    return Need(files_gib / _FULLEST, files_gib / _FULL)


def storage(config: Json) -> Need:
    """All claims."""
    total_gib = (
        config["ollama"]["volume_gib"]
        + config["engine"]["cache_volume_gib"]
        + config["speech"]["volume_gib"]
    )
    return Need(total_gib, total_gib)


def _old(config: Json, phase: int, key: str) -> float:
    found = (float(old[key]) for old in config["legacy"] if old["scaled_down_at"] > phase)
    return sum(found)


def _cache(model: Model, tokens: int, value_bytes: int) -> Need:
    """Keys and values of these tokens; a layer with a window keeps fewer, so it counts at most."""
    shape = model.architecture
    most = 2 * shape.layers * shape.kv_heads * shape.head_dim * value_bytes * tokens / _GIB
    return Need(0.0 if shape.sliding_window else most, most)


def _loaded(config: Json, tag: str) -> Need:
    model, weights = _ollama_model(tag)
    shape = model.architecture
    tokens = config["ollama"]["context_tokens"] * config["ollama"]["num_parallel"]
    scores_gib = 4 * 512 * tokens * (shape.attention_heads + 1) / _GIB
    if model.kind == "embedding":
        return Need(weights.weights_gib, weights.weights_gib + scores_gib + _BUFFERS_GIB)
    cache = _cache(model, tokens, 2)
    return Need(
        weights.weights_gib + cache.least,
        weights.weights_gib + cache.most + scores_gib + _BUFFERS_GIB,
    )


def _largest(sizes_gib: Iterable[float], count: int) -> float:
    ordered: Sequence[float] = sorted(sizes_gib, reverse=True)
    return sum(ordered[:count])


def _engine_model(config: Json) -> tuple[Model, ModelFormat]:
    model = load_catalogue().model(config["engine"]["model"])
    return model, model.format(config["engine"]["weights"])


def _ollama_model(tag: str) -> tuple[Model, ModelFormat]:
    found = load_catalogue().by_ollama(tag)
    return found.model, found.format
