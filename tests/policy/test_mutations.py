"""Whatever makes our own stack bad is caught by the rule that it is for."""

import pytest
from pulumi_policy import EnforcementLevel
from synapse_policy.pack import POLICIES

from tests.policy.changes import Change, ChangeError
from tests.policy.good_stack import forge_config, good_stack, stack_of
from tests.policy.judge_sets import judge_set
from tests.policy.mutations.mutation import Mutation, mutations, try_out
from tests.policy.resource_sets import Variation, varied

MANDATORY = {one.name for one in POLICIES if one.enforcement_level is EnforcementLevel.MANDATORY}
SHARE_RULES = {"vram-in-every-state", "vram-in-every-state-deployed"}


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
def test_the_stack_is_good_before(phase: int) -> None:
    assert [one for one in judge_set(good_stack(phase)) if one.rule in MANDATORY] == []


@pytest.mark.parametrize("mutation", mutations(), ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught_by_its_rule(mutation: Mutation) -> None:
    outcome = try_out(mutation)
    assert outcome.is_as_listed, f"wanted is {mutation.rule}, it was {outcome.caught_by}"


def test_there_are_many_and_few_slip_through() -> None:
    slipping = [one for one in mutations() if one.slips]
    assert len(mutations()) >= 80
    assert len(slipping) < len(mutations()) / 20
    assert MANDATORY - {one.rule for one in mutations()} <= NEVER_ALONE


NEVER_ALONE = {
    "sleep-mode-deployed",  # our NetworkPolicy shuts the engine in: what is left is sleep-mode
    "https-only-deployed",  # what it judges by several objects, https-only refuses below a root
    "volumes-protected-deployed",  # judges what the plan does not name, and volumes-protected does
}
"""Rules for programs without our plan; the corpus has a case of each."""


def test_both_locks_have_nearly_the_same_edge() -> None:
    """The program's own lock is the stricter one, by what its margin is larger."""
    hundredths = range(50, 60)
    by_program = [percent for percent in hundredths if not _refused_by_program(percent)]
    by_pack = [percent for percent in hundredths if not _refused_by_pack(percent)]
    assert by_program == list(range(50, max(by_program) + 1)), "one edge, and not two"
    assert by_pack == list(range(50, max(by_pack) + 1))
    assert max(by_program) <= max(by_pack) <= max(by_program) + 2


def _refused_by_program(percent: int) -> bool:
    return "program: vram-in-every-state" in try_out(_share(percent)).caught_by


def _refused_by_pack(percent: int) -> bool:
    return bool(SHARE_RULES & set(try_out(_share(percent)).caught_by))


def _share(percent: int) -> Mutation:
    sections = {"engine": {"gpu_memory_utilization": percent / 100}}
    return Mutation(group="edge", why="another share", rule="none", config=sections)


def test_a_change_that_finds_nothing_to_change_is_an_error() -> None:
    """Else a mutation would be caught, or not, that is none any more."""
    for lost in (
        Change(at="Deployment/vllm-inference", remove="spec/nothing"),
        Change(at="Deployment/vllm-inference", add="spec/replicas", value=1),
        Change(at="Deployment/nobody", replace="spec/replicas", value=1),
    ):
        with pytest.raises(ChangeError):
            varied(good_stack(), Variation(change=(lost,)), "llm-infra")


def test_what_was_judged_before_would_be_judged_the_same_again() -> None:
    for mutation in mutations()[:3]:
        changed = mutation.resources
        again, anew = judge_set(changed, good_stack()), judge_set(changed)
        assert [one for one in again if one.rule in MANDATORY] == [
            one for one in anew if one.rule in MANDATORY
        ]


def test_the_recorded_stack_is_the_same_with_and_without_the_programs_lock() -> None:
    assert stack_of(forge_config()) == good_stack()
