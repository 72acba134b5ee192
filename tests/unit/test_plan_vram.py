"""GPU states, their transitions and the old services on the GPU."""

import pytest

from synapse.plan.model import Plan
from tests.unit.stacks import CONCURRENT, plan, verdict, verdicts


def test_the_design_s_example_is_refused_with_its_sum_and_both_cures() -> None:
    """The engine's 1.2 GiB outside its share count too, so that 0.53 is left and not 0.57."""
    made = plan(gpu=CONCURRENT, engine={"gpu_memory_utilization": 0.65}, legacy=[])
    found = verdict(made, "vram-in-every-state", "'chat+speech'")
    assert not found.fits and found.phases == (4, 5, 6)
    assert found.sum == (
        "vllm 0.65 × 31.36 + 1.2 outside = 21.6 + coqui-tts 12.0 = 33.6 > 30.0 GiB"
    )
    assert found.cure == (
        "lower engine.gpu_memory_utilization to 0.53 or set gpu.sharing to exclusive"
    )
    outside_gib = made.engine.outside_gib
    assert 0.65 * 31.36 + outside_gib == pytest.approx(21.6, abs=0.05)
    assert 0.53 * 31.36 + outside_gib + 12 <= 30 < 0.54 * 31.36 + outside_gib + 12


@pytest.mark.parametrize(
    "cured", [{"engine": {"gpu_memory_utilization": 0.53}}, {"gpu": {"sharing": "exclusive"}}]
)
def test_each_cure_of_the_example_heals_it(cured: dict[str, dict[str, object]]) -> None:
    sections = {"gpu": CONCURRENT, "engine": {"gpu_memory_utilization": 0.65}} | cured
    made = plan(**sections, legacy=[])
    assert all(one.fits for one in verdicts(made, "vram-in-every-state"))
    assert all(one.fits for one in verdicts(made, "vram-in-every-transition"))


def test_exclusive_is_no_cure_where_speech_is_not_there() -> None:
    made = plan(gpu=CONCURRENT, engine={"gpu_memory_utilization": 0.65})
    found = verdict(made, "vram-in-every-state", "'chat+tts-inference'")
    assert found.cure == (
        "lower engine.gpu_memory_utilization to 0.53 "
        "or scale the old service down earlier (legacy.scaled_down_at)"
    )


def test_what_no_single_key_heals_names_every_key_that_counts() -> None:
    made = plan(
        engine={"model": "qwen2.5-32b"},
        speech={"tts": {"vram_gib": 31}},
        legacy=[],
        gpu=CONCURRENT,
    )
    cure = verdict(made, "vram-in-every-state", "'chat+speech'").cure
    assert cure == (
        "bring them down to 30.0 GiB together: engine.model, engine.weights, speech.tts.vram_gib"
    )


def test_legacy_counts_until_it_is_scaled_down_or_retired() -> None:
    old = {"name": "old", "namespace": "ns", "vram_gib": 5, "memory_gib": 7, "scaled_down_at": 4}

    def phases_of(made: Plan) -> tuple[int, ...]:
        return made.workload("ns/old").phases

    assert phases_of(plan(legacy=[old])) == (1, 2, 3)
    assert phases_of(plan(legacy=[{**old, "scaled_down_at": 2}])) == (1,)
    for gone in ({**old, "retired_on": "2026-11-22"}, {**old, "scaled_down_at": 1}):
        made = plan(legacy=[gone])
        with pytest.raises(KeyError):
            made.workload("ns/old")
        assert {state.name for state in made.states} == {"chat", "speech"}
    lines = {
        one.phase: sum(line.gib for line in one.lines if line.what == "ns/old")
        for one in plan(legacy=[old]).ram
        if one.kind == "limits"
    }
    assert lines == {1: 7, 2: 7, 3: 7, 4: 0, 5: 0, 6: 0}


def test_an_old_service_that_keeps_the_gpu_is_refused() -> None:
    old = {"name": "vllm", "namespace": "vllm", "gpus": 1, "memory_gib": 20, "scaled_down_at": 3}
    made = plan(legacy=[old])
    found = verdict(made, "gpu-count", "'chat+vllm'")
    assert (found.fits, found.phases) == (False, (2,))
    assert found.sum == "vllm-inference 1 + vllm/vllm 1 = 2 > 1 GPU(s)"
    assert "legacy.scaled_down_at" in found.cure and "concurrent" in found.cure
    assert verdict(plan(legacy=[{**old, "scaled_down_at": 2}]), "gpu-count", "'chat'").fits
    shared = plan(legacy=[old], gpu=CONCURRENT)
    assert verdict(shared, "gpu-count", "'chat+vllm'").fits


def test_concurrent_is_no_cure_for_three_claims() -> None:
    old = {"name": "vllm", "namespace": "vllm", "gpus": 1, "memory_gib": 20, "scaled_down_at": 5}
    for gpu in ({}, CONCURRENT):
        refused = [
            one for one in verdicts(plan(legacy=[old], gpu=gpu), "gpu-count") if not one.fits
        ]
        late = [one for one in refused if 4 in one.phases]
        assert late
        assert all("concurrent" not in one.cure for one in late)


def test_an_old_service_called_speech_does_not_hide_a_state() -> None:
    old = {"name": "speech", "namespace": "a", "vram_gib": 1, "memory_gib": 1, "scaled_down_at": 4}
    made = plan(legacy=[old], gpu=CONCURRENT)
    ways = [(way.source, way.target, way.phases) for way in made.transitions]
    assert ("chat+speech", "chat+speech", (4,)) in ways


def test_a_sleeping_engine_keeps_its_residue_in_states_and_transitions() -> None:
    attested = {"attested_by": "me", "attested_on": "2026-11-01", "residue_gib": 2.5}
    made = plan(gpu=CONCURRENT, engine={"sleep_mode": attested}, legacy=[])
    (asleep,) = [state for state in made.states if state.name == "speech, engine asleep"]
    assert asleep.sum_gib == pytest.approx(12 + 2.5)
    engine_gib = made.workload("vllm-inference").vram_gib
    ways = {(way.source, way.target): way for way in made.transitions}
    falls = ways["chat+speech", asleep.name]
    wakes = ways[asleep.name, "chat+speech"]
    assert falls.leaves == wakes.leaves == () and falls.enters == wakes.enters == ()
    assert falls.peak_gib == wakes.peak_gib == pytest.approx(12 + engine_gib)
    from_chat = ways["chat", asleep.name]
    assert from_chat.enters == ("coqui-tts",)
    assert from_chat.peak_gib == pytest.approx(12 + engine_gib), "it sleeps only once it is told to"


def test_a_residue_that_is_too_large_is_refused_with_a_cure_that_helps() -> None:
    attested = {"attested_by": "me", "attested_on": "2026-11-01", "residue_gib": 19}
    made = plan(gpu=CONCURRENT, engine={"sleep_mode": attested}, legacy=[])
    found = verdict(made, "vram-in-every-state", "asleep")
    assert not found.fits
    assert "gpu_memory_utilization" not in found.cure


def test_what_leaves_is_gone_before_anything_enters() -> None:
    for way in plan().transitions:
        states = {state.name: state.sum_gib for state in plan().states}
        assert way.peak_gib == pytest.approx(max(states[way.source], states[way.target]))
