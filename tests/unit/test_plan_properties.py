"""What must hold of the plan whatever the config is."""

import re
from copy import deepcopy
from typing import Any, cast

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.plan.model import Plan, Verdict
from synapse.settings.load import parse
from tests.unit.stacks import ACKNOWLEDGED, CONFIG, plan_of

CATALOGUE = load_catalogue()
CHAT = [
    (model.name, weights.name)
    for model in CATALOGUE.models
    if model.kind != "embedding"
    for weights in model.formats
    if weights.hugging_face
]
TAGS = [weights.ollama[0] for m in CATALOGUE.models for weights in m.formats if weights.ollama]
GPUS = [gpu.name for gpu in CATALOGUE.gpus]

Config = dict[str, Any]
gib = st.floats(0.5, 40).map(lambda number: round(number, 1))


@st.composite
def old_services(draw: st.DrawFn) -> list[Config]:
    return [
        {
            "name": f"old-{number}",
            "namespace": "old",
            "gpus": draw(st.integers(0, 1)),
            "vram_gib": draw(st.just(0.0) | gib),
            "memory_gib": draw(gib),
            "scaled_down_at": draw(st.integers(1, 6)),
        }
        for number in range(draw(st.integers(0, 3)))
    ]


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A config that is valid, and that may fit or not."""
    model, weights = draw(st.sampled_from(CHAT))
    tags = draw(st.lists(st.sampled_from(TAGS), min_size=1, max_size=4, unique=True))
    config: Config = {
        "node": {"cpus": draw(st.integers(4, 64)), "memory_gib": draw(st.integers(32, 400))},
        "gpu": {
            "model": draw(st.sampled_from(GPUS)),
            "sharing": draw(st.sampled_from(["exclusive", "concurrent"])),
            "reserve_gib": draw(st.floats(0, 3)),
        },
        "ollama": {"models": tags, "default_model": tags[0]},
        "engine": {
            "kind": draw(st.sampled_from(["vllm", "sglang"])),
            "model": model,
            "weights": weights,
            "max_model_len": draw(st.integers(256, 40000)),
        },
        "speech": {
            "tts": {"vram_gib": draw(gib), "licence_acknowledged": ACKNOWLEDGED},
            # Not `auto`: what chooses for itself makes room.
            "stt": {"device": draw(st.sampled_from(["cpu", "gpu"]))},
        },
        "legacy": draw(old_services()),
    }
    if draw(st.booleans()):
        config["gpu"]["budget_gib"] = draw(st.floats(4, 80))
    if draw(st.booleans()):
        config["engine"]["gpu_memory_utilization"] = draw(st.integers(5, 100)) / 100
    if draw(st.booleans()):
        config["ollama"]["memory_gib"] = draw(st.integers(4, 200))
    if draw(st.booleans()):
        config["engine"]["sleep_mode"] = {
            "attested_by": "me",
            "attested_on": "2026-11-01",
            "residue_gib": draw(gib),
        }
    return config


def sums(made: Plan) -> dict[tuple[object, ...], float]:
    """Every sum over workloads, by phase and where it is taken."""
    found: dict[tuple[object, ...], float] = {}
    for number in range(1, 7):
        quota = made.phase_plan(number).quota
        found["memory", number] = quota.memory_limit_gib
        found["cpu", number] = quota.cpu_request
        states = [state.sum_gib for state in made.states if number in state.phases]
        found["vram", number] = max(states, default=0.0)
        for kind in ("planned", "limits", "requests"):
            found[kind, number] = max(
                one.sum_gib for one in made.ram if (one.phase, one.kind) == (number, kind)
            )
    for volume in made.volumes:
        found["disk", volume.claim] = volume.sum_gib
    return found


def never_lower(before: Plan, after: Plan) -> None:
    known = sums(after)
    for where, total in sums(before).items():
        assert known[where] >= total - 1e-9, where


@settings(deadline=None, max_examples=40)
@given(configs(), old_services())
def test_another_old_service_never_lowers_a_sum(config: Config, more: list[Config]) -> None:
    config["engine"].setdefault("gpu_memory_utilization", 0.5)  # a chosen one makes room
    renamed = [{**old, "name": f"more-{number}"} for number, old in enumerate(more)]
    added = {**config, "legacy": [*config["legacy"], *renamed]}
    never_lower(plan_of(config), plan_of(added))


@settings(deadline=None, max_examples=40)
@given(configs(), st.sampled_from(TAGS))
def test_another_model_never_lowers_a_sum(config: Config, tag: str) -> None:
    assume(tag not in config["ollama"]["models"])
    more = deepcopy(config)
    more["ollama"]["models"] = [*config["ollama"]["models"], tag]
    never_lower(plan_of(config), plan_of(more))


@settings(deadline=None, max_examples=40)
@given(configs(), st.randoms(use_true_random=False))
def test_the_verdict_does_not_depend_on_the_order(config: Config, random: Any) -> None:
    shuffled = deepcopy(config)
    random.shuffle(shuffled["legacy"])
    random.shuffle(shuffled["ollama"]["models"])
    turned = {key: shuffled[key] for key in random.sample(sorted(shuffled), len(shuffled))}

    def judged(made: Plan) -> list[tuple[str, tuple[int, ...], bool]]:
        # a state's name lists the old services in the config's order; its phases do not
        return sorted((one.rule, one.phases, one.fits) for one in made.verdicts)

    before, after = plan_of(config), plan_of(turned)
    assert judged(before) == judged(after)
    assert before.engine == after.engine
    known = sums(after)
    for where, total in sums(before).items():
        assert abs(known[where] - total) < 1e-9


@settings(deadline=None, max_examples=50)
@given(configs(), st.integers(5, 99), st.integers(1, 95))
def test_more_utilisation_never_fits_less_for_the_engine(
    config: Config, percent: int, more: int
) -> None:
    less, greater = deepcopy(config), deepcopy(config)
    less["engine"]["gpu_memory_utilization"] = percent / 100
    greater["engine"]["gpu_memory_utilization"] = min(100, percent + more) / 100
    small, large = plan_of(less), plan_of(greater)
    fits = [_one(made, "engine-fits-its-share").fits for made in (small, large)]
    assert fits[0] <= fits[1]
    assert small.engine.kv_tokens <= large.engine.kv_tokens
    states = [max(state.sum_gib for state in made.states) for made in (small, large)]
    assert states[0] <= states[1], "and it never takes less from the others"


@settings(deadline=None, max_examples=50)
@given(configs())
def test_a_chosen_utilisation_is_the_most_modest_that_starts_or_all_that_is_free(
    config: Config,
) -> None:
    config["engine"].pop("gpu_memory_utilization", None)
    made = plan_of(config)
    engine = made.engine
    assert 0 < engine.gpu_memory_utilization <= 1
    if all(one.fits for one in made.verdicts if one.rule == "engine-fits-its-share"):
        return
    more = deepcopy(config)
    more["engine"]["gpu_memory_utilization"] = min(1.0, engine.gpu_memory_utilization + 0.01)
    if engine.gpu_memory_utilization < 1:
        states = [one for one in plan_of(more).verdicts if one.rule == "vram-in-every-state"]
        assert any(not one.fits for one in states), "there was more to give"


@settings(deadline=None, max_examples=40)
@given(configs())
def test_the_plan_is_pure_and_survives_json(config: Config) -> None:
    before = deepcopy(config)
    read = parse(config)
    made, again = make_plan(read, CATALOGUE), make_plan(read, CATALOGUE)
    assert made == again and made.model_dump_json() == again.model_dump_json()
    assert config == before
    computed = {"sum_gib": ..., "needs_gib": ...}
    stored = made.model_dump(mode="json", exclude_computed_fields=True)
    assert not _keys(stored) & set(computed)
    assert Plan.model_validate_json(made.model_dump_json(exclude_computed_fields=True)) == made


@settings(deadline=None, max_examples=60)
@given(configs())
def test_what_does_not_fit_has_a_cure_and_what_fits_has_none(config: Config) -> None:
    for one in plan_of(config).verdicts:
        assert bool(one.cure) != one.fits, one
        assert one.sum and one.phases, one
        assert len(one.cure.splitlines()) <= 1
        assert "-" not in re.findall(r"to (-?)\d", one.cure), one


@settings(deadline=None, max_examples=100)
@given(configs())
def test_a_cure_that_names_a_value_heals_its_verdict(config: Config) -> None:
    made = plan_of(config)
    for one in made.verdicts:
        for cured in _applied(config, one):
            healed = plan_of(cured)
            again = [
                other
                for other in healed.verdicts
                if other.rule == one.rule and _concerns(other, one, cured, config)
            ]
            assert all(other.fits for other in again), (one, again)


def _concerns(other: Verdict, healed: Verdict, cured: Config, config: Config) -> bool:
    """The same verdict, or those that stand in its place where the cure changes the states."""
    if cured["gpu"]["sharing"] != config["gpu"]["sharing"] and "chat+speech" in healed.scope:
        return bool(set(other.phases) & set(healed.phases))
    if cured["speech"] != config["speech"]:
        same = other.scope == healed.scope.replace("+stt", "")
        return same and bool(set(other.phases) & set(healed.phases))
    if cured["legacy"] != config["legacy"]:
        same = other.scope.partition("+old")[0].strip("'") == healed.scope.partition("+old")[0]
        return same and bool(set(other.phases) & set(healed.phases))
    return other.scope == healed.scope


def _applied(config: Config, refused: Verdict) -> list[Config]:
    """The config after each alternative of the cure that can be done by a program."""
    found: list[Config] = []
    if refused.rule == "gpu-count" and " and " in refused.cure:
        return found  # no single change is enough
    raised = re.search(r"engine\.gpu_memory_utilization to ([\d.]+)", refused.cure)
    shorter = re.search(r"engine\.max_model_len to (\d+)", refused.cure)
    slots = re.search(r"ollama\.max_loaded_models to (\d+)", refused.cure)
    smaller = re.search(r"ollama\.memory_gib to ([\d.]+)", refused.cure)
    if raised:
        found.append(_with(config, "engine", gpu_memory_utilization=float(raised[1])))
    if shorter:
        found.append(_with(config, "engine", max_model_len=int(shorter[1])))
    if slots:
        found.append(_with(config, "ollama", max_loaded_models=int(slots[1])))
    if smaller:
        found.append(_with(config, "ollama", memory_gib=float(smaller[1])))
    for sharing in ("exclusive", "concurrent"):
        if f"gpu.sharing to {sharing}" in refused.cure:
            found.append(_with(config, "gpu", sharing=sharing))
    if "speech.stt.device to cpu" in refused.cure:
        speech = {**config["speech"], "stt": {"device": "cpu"}}
        found.append({**config, "speech": speech})
    if "scale the old service down" in refused.cure:
        # out of the GPU from the first of the verdict's phases on
        earlier = [
            {**old, "scaled_down_at": min(old["scaled_down_at"], *refused.phases)}
            for old in config["legacy"]
        ]
        found.append({**config, "legacy": earlier})
    return found


def _with(config: Config, section: str, **values: object) -> Config:
    changed = deepcopy(config)
    changed[section].update(values)
    return changed


def _one(made: Plan, rule: str) -> Verdict:
    (found,) = [one for one in made.verdicts if one.rule == rule]
    return found


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for one in value.values() for key in _keys(one)}
    if isinstance(value, list):
        return {key for one in cast(list[object], value) for key in _keys(one)}
    return set()


def test_the_forge_is_one_of_the_configs_that_the_properties_are_about() -> None:
    assert set(CONFIG) >= {"node", "gpu", "ollama", "engine", "speech", "legacy"}
