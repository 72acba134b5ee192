"""The reported start-ups as workloads: what the formulas say beside what the engine printed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from synapse.catalogue import Architecture, Gpu, ModelFormat, load_catalogue
from synapse.catalogue.units import BYTES_PER_GIB
from synapse.catalogue.weights import LINEAR_BYTES, counted_weights_gib
from synapse.plan.memory import EngineMemory, EngineWorkload, engine_memory

HERE = Path(__file__).parent
Record = dict[str, Any]

UNKNOWN_VERSION = "0.16.0"
"""For logs that name no version: the last one with the larger sampler, the cautious reading."""


def records(name: str) -> list[Record]:
    """The records of `name`.jsonl."""
    lines = (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def architectures() -> dict[str, Record]:
    """Architectures of the reported models, by name, with their parameters."""
    found: dict[str, Record] = json.loads((HERE / "architectures.json").read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Comparison:
    """One start-up: the formula's figures and the engine's."""

    record: Record
    memory: EngineMemory

    @property
    def label(self) -> str:
        """Model, format, card and version, for a table."""
        record = self.record
        version = record["printed_version"] or "version unknown"
        return f"{record['arch']} {record['weight_format']}, {record['gpu']}, {version}"

    @property
    def reported_kv_gib(self) -> float:
        """The cache that the engine got, from its GiB or from its tokens."""
        if self.record["kv_gib"] is not None:
            return float(self.record["kv_gib"])
        return float(self.record["kv_tokens"] * self.memory.kv_bytes_per_token / BYTES_PER_GIB)

    @property
    def error_gib(self) -> float:
        """Predicted less reported cache; above zero the formula promised too much."""
        return self.memory.kv_available_gib - self.reported_kv_gib

    @property
    def error_percent(self) -> float:
        """The error as a share of what the engine got."""
        return 100 * self.error_gib / self.reported_kv_gib


def workload(record: Record) -> EngineWorkload:
    """What was started. Values that the log does not print are the engine's defaults."""
    known = architectures()[record["arch"]]
    architecture = Architecture.model_validate(known["architecture"])
    # bf16 and bitsandbytes are not repacked: only the printed size of the weights matters then
    name = record["weight_format"] if record["weight_format"] in LINEAR_BYTES else "bf16"
    weights_gib = record["weights_gib"]
    if weights_gib is None:
        params, vision = known["params_billion"], known["vision_params_billion"]
        weights_gib = counted_weights_gib(architecture, params, vision, name)
    else:
        weights_gib *= record["tensor_parallel"]
    return EngineWorkload(
        architecture=architecture,
        format=ModelFormat(
            name=name, weights_gib=weights_gib, weights_origin="reported", source=record["source"]
        ),
        gpu=Gpu(
            name="reported",
            title=record["gpu"],
            nominal_gb=1,
            total_gib=record["gpu_total_gib"],
            total_origin="reported",
            compute_capability=record["compute_capability"],
            datacenter=False,
            source=record["source"],
        ),
        release=load_catalogue().vllm.release(record["version"] or UNKNOWN_VERSION),
        utilization=record["utilization"],
        max_model_len=record["max_model_len"] or 4096,
        max_num_seqs=record["max_num_seqs"],
        max_num_batched_tokens=record["max_num_batched_tokens"],
        kv_cache_dtype=record["kv_cache_dtype"],
        tensor_parallel=record["tensor_parallel"],
        enforce_eager=bool(record["enforce_eager"]),
    )


def comparisons() -> list[Comparison]:
    """All start-ups with a figure to compare; repeats of one set-up count once."""
    return list(_compare())


def _compare() -> Iterator[Comparison]:
    seen: set[str] = set()
    for record in records("vllm"):
        group = record["dup_group"]
        if record["left_out"] or (record["kv_gib"] is None and record["kv_tokens"] is None):
            continue
        if group in seen:
            continue
        seen.update([group] if group else [])
        yield Comparison(record, engine_memory(workload(record)))


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]


@dataclass(frozen=True)
class Spread:
    """How far the formula is off, over all comparisons."""

    count: int
    median_gib: float
    p90_gib: float
    worst_promise_gib: float
    median_percent: float
    p90_percent: float


def spread(found: list[Comparison]) -> Spread:
    """Median and 90th percentile of the absolute error, and the worst over-promise."""
    errors = [abs(one.error_gib) for one in found]
    # on a card of a few GiB a small error is a large share: there, GiB alone are judged
    shares = [abs(one.error_percent) for one in found if one.reported_kv_gib >= 4]
    return Spread(
        count=len(found),
        median_gib=median(errors),
        p90_gib=percentile(errors, 0.9),
        worst_promise_gib=max(one.error_gib for one in found),
        median_percent=median(shares),
        p90_percent=percentile(shares, 0.9),
    )
