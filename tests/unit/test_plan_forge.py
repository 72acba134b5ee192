"""The plan of the forge as it is."""

import pytest

from synapse.plan import phases
from tests.unit.stacks import plan, verdicts


def test_the_forge_fits_in_all_phases_states_and_transitions() -> None:
    made = plan()
    assert [one for one in made.verdicts if not one.fits] == []
    assert {phase for one in made.verdicts for phase in one.phases} == set(phases.NUMBERS)
    for rule in ("planned", "limits", "requests"):
        judged = verdicts(made, f"ram-{rule}")
        assert {one.phases[0] for one in judged} == set(phases.NUMBERS)


@pytest.mark.parametrize("phase", phases.NUMBERS)
def test_the_forge_fits_at_each_phase(phase: int) -> None:
    assert plan(phase=phase).refusals(phase) == ()


def test_the_forge_s_gpu_states_are_these() -> None:
    states = {
        state.name: (state.phases, [member.workload for member in state.members])
        for state in plan().states
    }
    assert states == {
        "legacy": ((1,), ["vllm/vllm", "tts/tts-inference"]),
        "chat+tts-inference": ((2, 3), ["vllm-inference", "tts/tts-inference"]),
        "chat": ((4, 5, 6), ["vllm-inference"]),
        "speech": ((4, 5, 6), ["coqui-tts"]),
    }


def test_the_forge_s_transitions_join_all_states_that_may_follow_each_other() -> None:
    ways = {(way.source, way.target): way.phases for way in plan().transitions}
    assert ways == {
        ("legacy", "chat+tts-inference"): (2,),
        ("chat+tts-inference", "legacy"): (2,),
        ("chat+tts-inference", "chat"): (4,),
        ("chat", "chat+tts-inference"): (4,),
        ("chat+tts-inference", "speech"): (4,),
        ("speech", "chat+tts-inference"): (4,),
        ("chat", "speech"): (4, 5, 6),
        ("speech", "chat"): (4, 5, 6),
    }


def test_no_state_is_held_against_the_nominal_memory() -> None:
    gpu = plan(gpu={"budget_gib": None}).gpu
    assert gpu.total_gib == 31.36
    assert gpu.ceiling_gib == pytest.approx(30.36)
    assert plan(gpu={"budget_gib": 32}).gpu.ceiling_gib == pytest.approx(30.36)
    assert plan().gpu.ceiling_gib == 30


def test_the_ram_budgets_of_the_forge() -> None:
    made = plan()
    limits = {one.kind: one.limit_gib for one in made.ram}
    assert limits == {
        "planned": pytest.approx(156.8),
        "limits": 196,
        "requests": 196,
    }
    for one in made.ram:
        system = [line.gib for line in one.lines if line.what == "system"]
        assert system == ([] if one.kind == "requests" else [27])


def test_only_pods_of_one_state_are_added_up() -> None:
    made = plan()
    by_state = {
        one.state: {line.what for line in one.lines}
        for one in made.ram
        if one.phase == 4 and one.kind == "limits"
    }
    assert "vllm-inference" in by_state["chat"] and "coqui-tts" not in by_state["chat"]
    assert "coqui-tts" in by_state["speech"] and "vllm-inference" not in by_state["speech"]
    assert all("speaches" in pods and "ollama" in pods for pods in by_state.values())
