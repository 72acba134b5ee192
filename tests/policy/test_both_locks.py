"""The pack against the program's own plan: what one accepts the other does, or one is broken."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from synapse.catalogue import load_catalogue
from synapse.plan import memory, ollama, ollama_memory, states
from synapse.plan.build import make_plan
from synapse.settings.load import parse, without_prefix
from tests.policy.forge import Json
from tests.policy.judge import judge_root, rules, said

_FORGE = Path(__file__).resolve().parents[2] / "Pulumi.forge.yaml"


def _config(**engine: Any) -> Json:
    raw: Json = without_prefix(yaml.safe_load(_FORGE.read_text(encoding="utf-8"))["config"])
    raw["engine"].update(engine)
    raw["speech"]["tts"]["licence_acknowledged"] = {"by": "a test", "date": "2026-11-22"}
    return raw


def _plan(raw: Json) -> Json:
    return make_plan(parse(raw), load_catalogue()).model_dump(mode="json")


def _refused(plan: Json) -> list[str]:
    return [
        verdict["sum"]
        for verdict in plan["verdicts"]
        if not verdict["fits"] and verdict["severity"] == "refuse"
    ]


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
def test_the_forges_own_plan_passes(phase: int) -> None:
    raw = _config()
    raw["phase"] = phase
    plan = _plan(raw)
    assert _refused(plan) == []
    assert judge_root(plan) == []


@pytest.mark.parametrize("gpu", ["rtx-5090", "rtx-3090", "h100-80"])
@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_both_locks_agree_on_every_model_of_the_catalogue(gpu: str, kind: str) -> None:
    """No figure apart by more than the tolerance, and nothing that fits is refused."""
    disputed = []
    for model in load_catalogue().models:
        for weights in model.formats:
            if model.kind == "embedding" or not weights.hugging_face:
                continue
            raw = _config(kind=kind, model=model.name, weights=weights.name)
            raw["engine"]["max_model_len"] = min(8192, model.architecture.max_context_tokens)
            raw["gpu"] |= {"model": gpu, "budget_gib": None}
            raw["legacy"] = []
            plan = _plan(raw)
            found = judge_root(plan)
            if "plan-agrees" in rules(found) or (found and not _refused(plan)):
                disputed.append((model.name, weights.name, found[0]))
    assert disputed == []


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (memory, "SAFETY_MARGIN_GIB", 0.0),
        (memory, "BYTES_PER_GIB", 2**31),
        (memory, "MLP_BYTES_PER_ACTIVATION", 600),
        (memory, "SAMPLER_BYTES_PER_LOGIT", {"v0": 0, "v1-sort": 0, "v1-lean": 300}),
        (memory, "KV_BYTES", {"auto": 1, "fp8": 1}),
        (memory, "CUDA_CONTEXT_GIB", -0.6),
        (ollama_memory, "KV_BYTES", {"f16": 1.0, "q8_0": 1.0, "q4_0": 1.0}),
        (ollama_memory, "BATCH_TOKENS", 5120),
        (ollama, "loaded_ram_gib", lambda _: 1.0),
        (states, "_while_entering_gib", lambda _source, _target: 100.0),
    ],
)
def test_a_broken_formula_of_the_plan_makes_the_locks_disagree(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, broken: object
) -> None:
    # Unpacked weights: the locks' estimates lie closest there.
    raw = _config(gpu_memory_utilization=0.8, weights="bf16")
    raw["legacy"] = []
    assert not said(judge_root(_plan(raw)), "plan-agrees")
    monkeypatch.setattr(module, name, broken)
    if name == "loaded_ram_gib":
        monkeypatch.setattr("synapse.plan.workloads.loaded_ram_gib", broken)
    assert said(judge_root(_plan(raw)), "plan-agrees")
