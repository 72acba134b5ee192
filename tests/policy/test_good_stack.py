"""The forge passes every rule in every phase, and the numbers of its plan are the pack's own."""

import pytest

from tests.policy.forge import plan, resources
from tests.policy.judge import judge_all


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
def test_the_forge_passes_all_rules(phase: int) -> None:
    assert judge_all(plan(phase), resources(phase)) == []
