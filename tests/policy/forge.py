"""The forge as the pack is shown it: its numbers written out, and not computed by the plan."""

import copy
from typing import Any

from tests.policy.forge_guards import NAMESPACE, Json
from tests.policy.forge_objects import REPOSITORY, engine, gateway, ollama, resources, stt, tts

__all__ = [
    "NAMESPACE",
    "REPOSITORY",
    "Json",
    "engine",
    "gateway",
    "ollama",
    "plan",
    "resources",
    "state",
    "stt",
    "tts",
]

TOTAL_GIB = 31.36
SHARE_GIB = 0.75 * TOTAL_GIB
OUTSIDE_GIB = 1.3
ENGINE_GIB = SHARE_GIB + OUTSIDE_GIB
OLLAMA_RAM_GIB = 13.0


def _workload(name: str, kind: str, since: int, request: float, limit: float, **more: Any) -> Json:
    return {
        "name": name,
        "kind": kind,
        "namespace": NAMESPACE,
        "phases": list(range(since, 7)),
        "replicas": 1,
        "surge": 0,
        "pod": {"memory_request_gib": request, "memory_limit_gib": limit},
        "planned_ram_gib": request,
        "gpus": 0,
        "vram_gib": 0.0,
    } | more


def _member(name: str, vram_gib: float) -> Json:
    return {"workload": name, "vram_gib": vram_gib, "gpus": 1, "formula": ""}


def state(name: str, phases: list[int], **members: float) -> Json:
    found = [_member(member.replace("_", "-"), gib) for member, gib in members.items()]
    total = sum(member["vram_gib"] for member in found)
    return {"name": name, "phases": phases, "members": found, "sum_gib": total}


def _ram(phase: int, where: str, planned: float, limits: float, requests: float) -> list[Json]:
    sums = {
        "planned": (planned, 0.8 * 196),
        "limits": (limits, 196),
        "requests": (requests, 196),
    }
    return [
        {"phase": phase, "state": where, "kind": kind, "sum_gib": gib, "limit_gib": limit}
        for kind, (gib, limit) in sums.items()
    ]


def plan(phase: int = 3) -> Json:
    """The plan of the forge without old services, up to phase 4."""
    base = (OLLAMA_RAM_GIB + 27 + 1, 96 + 27 + 2, 32 + 1)
    engine = tuple(
        before + more for before, more in zip(base, (20 + 0.5, 32 + 2, 20 + 0.5), strict=True)
    )
    gateway = tuple(
        before + more for before, more in zip(engine, (6.0625, 12.25, 6.0625), strict=True)
    )
    tts = tuple(
        before + more
        for before, more in zip(gateway, (8 - 20 + 6, 12 - 32 + 16, 8 - 20 + 6), strict=True)
    )
    chat_with_stt = tuple(before + more for before, more in zip(gateway, (6, 16, 6), strict=True))
    return copy.deepcopy(
        {
            "schema_version": 1,
            "phase": phase,
            "namespace": NAMESPACE,
            "node": {
                "name": "forge",
                "memory_gib": 196,
                "allocatable_gib": 196,
                "system_gib": 27,
                "budget_gib": 0.8 * 196,
                "storage_gib": 1000,
            },
            "gpu": {
                "model": "rtx-5090",
                "total_gib": TOTAL_GIB,
                "count": 1,
                "devices": 1,
                "budget_gib": 30,
                "reserve_gib": 1,
                "ceiling_gib": 30,
                "sharing": "exclusive",
            },
            "workloads": [
                _workload("ollama", "deployment", 1, 32, 96, planned_ram_gib=OLLAMA_RAM_GIB),
                _workload("ollama-pull", "job", 1, 0.5, 1, replicas=2),
                _workload("vllm-inference", "deployment", 2, 20, 32, gpus=1, vram_gib=ENGINE_GIB),
                _workload("engine-pull", "job", 2, 0.5, 2),
                _workload("litellm-proxy", "deployment", 3, 2, 4, replicas=2, surge=1),
                _workload("litellm-restart", "cron-job", 3, 0.0625, 0.25),
                _workload("coqui-tts", "deployment", 4, 8, 12, gpus=1, vram_gib=12.0),
                _workload("speaches", "deployment", 4, 6, 16),
            ],
            "states": [
                state("chat", [2, 3, 4, 5, 6], vllm_inference=ENGINE_GIB),
                state("speech", [4, 5, 6], coqui_tts=12.0),
            ],
            "transitions": [
                {"source": "chat", "target": "speech", "peak_gib": ENGINE_GIB},
                {"source": "speech", "target": "chat", "peak_gib": ENGINE_GIB},
            ],
            "ram": [
                *_ram(1, "no GPU pod", *base),
                *_ram(2, "chat", *engine),
                *_ram(3, "chat", *gateway),
                *(
                    one
                    for later in (4, 5, 6)
                    for one in (*_ram(later, "chat", *chat_with_stt), *_ram(later, "speech", *tts))
                ),
            ],
            "volumes": [
                {
                    "claim": "ollama-models",
                    "size_gib": 200,
                    "lines": [
                        {"what": "llama3.2:3b", "gib": 1.88},
                        {"what": "llama3.1:8b", "gib": 4.58},
                    ],
                    "usable_gib": 160,
                    "sum_gib": 6.46,
                },
                {
                    "claim": "huggingface-cache",
                    "size_gib": 100,
                    "lines": [{"what": REPOSITORY, "gib": 5.34}],
                    "usable_gib": 80,
                    "sum_gib": 5.34,
                },
            ],
            "ollama": {
                "memory_limit_gib": 96,
                "max_loaded_models": 2,
                "num_parallel": 2,
                "context_tokens": 8192,
                "models": [
                    {"tag": "llama3.2:3b", "file_gib": 1.88, "ram_gib": 5.0},
                    {"tag": "llama3.1:8b", "file_gib": 4.58, "ram_gib": 8.0},
                ],
            },
            "engine": {
                "kind": "vllm",
                "service": "vllm-inference",
                "version": "0.20.2",
                "repository": REPOSITORY,
                "gpu_memory_utilization": 0.75,
                "max_model_len": 8192,
                "max_num_seqs": None,
                "max_num_batched_tokens": None,
                "kv_cache_dtype": "auto",
                "enforce_eager": False,
                "sleep_mode": False,
                "share_gib": SHARE_GIB,
                "outside_gib": OUTSIDE_GIB,
                "needs": [
                    {"what": "weights", "gib": 5.34},
                    {"what": "KV cache of one longest sequence", "gib": 1.0},
                    {"what": "the rest", "gib": 1.86},
                ],
                "needs_gib": 8.2,
            },
        }
    )
