"""Every trap has an answer, and every rule and test that an answer names is there."""

import re

import pytest
from pydantic import ValidationError

from tools.generate.policies_page import policies_page
from tools.generate.traps import Trap, trap_sources
from tools.policy_report.pack import pack_rules
from tools.sim_stack import REPOSITORY

TRAPS = [trap for source in trap_sources() for trap in source.traps]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.id)
def test_what_answers_a_trap_exists(trap: Trap) -> None:
    assert set(trap.rules) <= {rule.name for rule in pack_rules()}
    for test in trap.tests:
        file, _, function = test.partition("::")
        text = (REPOSITORY / file).read_text("utf-8")
        assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE), test


def test_no_trap_stands_twice_and_none_of_the_numbered_is_left_out() -> None:
    ids = [trap.id for trap in TRAPS]
    assert len(set(ids)) == len(ids)
    for letter, count in (("P", 18), ("A", 16), ("M", 11), ("W", 14), ("L", 7), ("R-", 10)):
        assert {f"{letter}{number}" for number in range(1, count + 1)} <= set(ids)
    assert {f"DA-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12)} <= set(ids)


def test_a_trap_without_an_answer_is_refused() -> None:
    with pytest.raises(ValidationError, match="no rule, no test and no reason"):
        Trap(id="X1", trap="Something.")


def test_the_page_has_a_section_for_every_rule_and_a_line_for_every_trap() -> None:
    page = policies_page()
    for rule in pack_rules():
        assert f"\n### {rule.name}\n" in page
        assert rule.about.reason in page
        assert rule.about.cure in page
    for trap in TRAPS:
        assert f"\n| {trap.id} | " in page
