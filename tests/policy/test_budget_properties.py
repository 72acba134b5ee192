"""Whatever the config is: what exceeds a budget in truth is refused, and what fits is not.

The truth is that of oracle.py. Each lock is asked by itself: the program's verdicts, and the pack's
rules on the plan in the root. A few configs are tried with all that the program registers.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pulumi_policy import EnforcementLevel
from synapse_policy.pack import POLICIES

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.settings.load import parse, without_prefix
from tests.policy import oracle
from tests.policy.changes import Json
from tests.policy.good_stack import forge_config, stack_of
from tests.policy.judge import Violation, judge_root
from tests.policy.judge_sets import judge_set
from tests.policy.oracle import TOTAL_GIB, Need

CATALOGUE = load_catalogue()
MANDATORY = {one.name for one in POLICIES if one.enforcement_level is EnforcementLevel.MANDATORY}
PHASE = 3
SPARE = 1.02
GRAIN_GIB = 0.02
"""What both locks print is rounded to a hundredth: less above a limit is no excess."""
SERVED = [
    (model.name, weights.name)
    for model in CATALOGUE.models
    if model.kind != "embedding"
    for weights in model.formats
    if weights.hugging_face
]
TAGS = [
    weights.ollama[0] for model in CATALOGUE.models for weights in model.formats if weights.ollama
]

gib = st.floats(0.5, 40).map(lambda number: round(number, 2))


@st.composite
def old_services(draw: st.DrawFn) -> list[Json]:
    return [
        {
            "name": f"old-{number}",
            "namespace": "old",
            "gpus": 0,
            "vram_gib": draw(st.just(0.0) | st.floats(0.5, 12)),
            "memory_gib": draw(gib),
            "scaled_down_at": draw(st.integers(1, 6)),
        }
        for number in range(draw(st.integers(0, 3)))
    ]


@st.composite
def configs(draw: st.DrawFn) -> Json:
    """The forge's config with other machines, models and neighbours; whether it fits is open."""
    config: Json = deepcopy(without_prefix(forge_config(PHASE)))
    model, weights = draw(st.sampled_from(SERVED))
    longest = CATALOGUE.model(model).architecture.max_context_tokens
    tags = draw(st.lists(st.sampled_from(TAGS), min_size=1, max_size=4, unique=True))
    default = next((tag for tag in tags if CATALOGUE.by_ollama(tag).model.kind != "embedding"), "")
    assume(default)
    config["gpu"] |= {"model": draw(st.sampled_from(sorted(TOTAL_GIB))), "budget_gib": 500}
    config["node"] |= {"cpus": 256, "memory_gib": 4000, "storage_gib": 20000}
    config["node"]["system_memory_gib"] = draw(st.floats(0, 40))
    config["ollama"] |= {
        "models": tags,
        "default_model": default,
        "memory_gib": 500,
        "memory_request_gib": draw(gib),
        "max_loaded_models": draw(st.integers(1, 4)),
        "num_parallel": draw(st.integers(1, 4)),
        "context_tokens": draw(st.sampled_from([2048, 8192, 16384])),
        "volume_gib": 2000,
    }
    config["engine"] |= {
        "model": model,
        "weights": weights,
        "gpu_memory_utilization": draw(st.integers(10, 98)) / 100,
        "max_model_len": draw(st.integers(512, min(32768, longest))),
        "kv_cache_dtype": draw(st.sampled_from(["auto", "fp8"])),
        "memory_request_gib": draw(gib),
        "memory_limit_gib": 64,
        "cache_volume_gib": 2000,
    }
    config["gateway"] |= {"replicas": draw(st.integers(2, 4)), "memory_limit_gib": draw(gib) + 2}
    config["speech"]["volume_gib"] = draw(st.floats(6, 40))  # its files have room: not the oracle's
    config["legacy"] = draw(old_services())
    config["clients"] = []
    return config


class Budget(NamedTuple):
    """A limit that a config writes, what it comes to, and what it bounds."""

    need: Callable[[Json], Need]
    write: Callable[[Json, float], None]
    limit: Callable[[Json], float]


def _at(section: str, key: str, need: Callable[[Json], Need]) -> Budget:
    def write(config: Json, limit_gib: float) -> None:
        config[section][key] = limit_gib

    return Budget(need, write, lambda config: config[section][key])


def _write_share(config: Json, limit_gib: float) -> None:
    """The share in whole hundredths, rounded down."""
    percent = math.floor(100 * limit_gib / TOTAL_GIB[config["gpu"]["model"]])
    config["engine"]["gpu_memory_utilization"] = percent / 100


def _write_planned(config: Json, limit_gib: float) -> None:
    config["node"]["ram_budget_fraction"] = limit_gib / config["node"]["memory_gib"]


def _planned_limit(config: Json) -> float:
    limit_gib: float = config["node"]["ram_budget_fraction"] * config["node"]["memory_gib"]
    return limit_gib


BUDGETS = {
    "gpu": _at("gpu", "budget_gib", oracle.vram),
    "share": Budget(oracle.engine_start, _write_share, oracle.share_gib),
    "ollama": _at("ollama", "memory_gib", oracle.ollama),
    "ram": _at("node", "memory_gib", lambda config: oracle.memory(config, "limits")),
    "allocatable": _at(
        "node", "allocatable_memory_gib", lambda config: oracle.memory(config, "requests")
    ),
    "planned": Budget(oracle.planned_use, _write_planned, _planned_limit),
    "models": _at("ollama", "volume_gib", oracle.models_volume),
    "cache": _at("engine", "cache_volume_gib", oracle.cache_volume),
    "disk": _at("node", "storage_gib", oracle.storage),
}


@st.composite
def exceeding(draw: st.DrawFn, budget: Budget) -> Json:
    """A config one of whose budgets is below what is taken in truth, often by very little."""
    config = draw(configs())
    budget.write(config, budget.need(config).least / (1 + draw(st.floats(0.001, 0.5))))
    asked = min(config["ollama"]["memory_request_gib"], config["ollama"]["memory_gib"])
    config["ollama"]["memory_request_gib"] = asked
    assume(budget.limit(config) > 0)
    assume(config["engine"]["gpu_memory_utilization"] <= 1)
    assume(budget.need(config).least > budget.limit(config) + GRAIN_GIB)
    return config


@st.composite
def fitting(draw: st.DrawFn) -> Json:
    """A config all of whose budgets are 2 % or more above the most that may be taken."""
    config = draw(configs())
    spare = draw(st.floats(SPARE, 1.3))
    total_gib = TOTAL_GIB[config["gpu"]["model"]]
    percent = math.ceil(100 * spare * oracle.engine_start(config).most / total_gib)
    assume(percent <= 98)
    config["engine"]["gpu_memory_utilization"] = percent / 100
    if spare * oracle.vram(config).most > total_gib - config["gpu"]["reserve_gib"]:
        config["legacy"] = [old | {"vram_gib": 0} for old in config["legacy"]]
    assume(spare * oracle.vram(config).most <= total_gib - config["gpu"]["reserve_gib"])
    # The node's RAM before its parts, and volumes before the disk that holds them.
    for name in ("gpu", "ollama", "models", "cache", "disk", "allocatable"):
        BUDGETS[name].write(config, spare * BUDGETS[name].need(config).most)
    asked = min(config["ollama"]["memory_request_gib"], config["ollama"]["memory_gib"])
    config["ollama"]["memory_request_gib"] = asked
    node = config["node"]
    node["ram_budget_fraction"] = draw(st.sampled_from([0.5, 0.6, 0.8]))
    most_gib = max(
        oracle.memory(config, "limits").most,
        oracle.planned_use(config).most / node["ram_budget_fraction"],
        node["allocatable_memory_gib"],
    )
    node["memory_gib"] = spare * most_gib
    for budget in BUDGETS.values():
        assert budget.limit(config) >= SPARE * budget.need(config).most - 1e-6
    return config


def _refused_by_program(config: Json) -> list[str]:
    """The first lock, as `refuse_what_does_not_fit` asks it."""
    plan = make_plan(parse(config), CATALOGUE)
    return [verdict.sum for verdict in plan.refusals(PHASE)]


def _refused_by_pack(config: Json) -> list[Violation]:
    """The second one, on the plan that the root carries."""
    plan = make_plan(parse(config), CATALOGUE).model_dump(mode="json")
    return [one for one in judge_root(plan) if one.rule in MANDATORY]


def tried(examples: int) -> settings:
    """Without shrinking: an example takes tenths of a second, and minutes would go by."""
    return settings(
        deadline=None,
        max_examples=examples,
        derandomize=True,  # a change is judged by itself, not by the luck of a draw
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )


@pytest.mark.parametrize("name", sorted(BUDGETS))
@tried(12)
@given(data=st.data())
def test_what_exceeds_a_budget_in_truth_passes_neither_lock(name: str, data: st.DataObject) -> None:
    config = data.draw(exceeding(BUDGETS[name]))
    assert _refused_by_program(config)
    assert _refused_by_pack(config)


@tried(60)
@given(config=fitting())
def test_what_fits_with_two_percent_to_spare_passes_both_locks(config: Json) -> None:
    assert _refused_by_program(config) == []
    assert _refused_by_pack(config) == []


@tried(6)
@given(config=fitting())
def test_what_fits_passes_with_all_its_resources(config: Json) -> None:
    found = judge_set(stack_of(_prefixed(config)))
    assert [one for one in found if one.rule in MANDATORY] == []


@tried(6)
@given(data=st.data())
def test_what_exceeds_is_seen_in_the_resources_alone(data: st.DataObject) -> None:
    """By rules that judge what is registered, as if nobody had judged the plan."""
    name = data.draw(st.sampled_from(["gpu", "ram", "allocatable", "models", "disk"]))
    config = data.draw(exceeding(BUDGETS[name]))
    # The oracle's costliest phase may be one of a service that is gone when this one is deployed.
    assume(all(old["scaled_down_at"] > PHASE for old in config["legacy"]))
    found = judge_set(stack_of(_prefixed(config)))
    assert {one.rule for one in found if one.rule.endswith("-deployed")} & {
        "vram-in-every-state-deployed",
        "ram-sum-deployed",
        "disk-deployed",
    }


@pytest.mark.parametrize("tag", ["gemma2:9b", "gemma3:12b"])
def test_a_model_with_sliding_windows_is_no_dispute(tag: str) -> None:
    config: Json = deepcopy(without_prefix(forge_config(PHASE)))
    config["ollama"] |= {"models": [tag], "default_model": tag, "context_tokens": 32768}
    assert _refused_by_program(config) == []
    assert _refused_by_pack(config) == []


def _prefixed(config: Json) -> Json:
    return {f"synapse:{key}": value for key, value in config.items()}
