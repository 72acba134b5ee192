"""The corpus through the real engine: each bad program is caught by its rule, and by no other.

Programs share previews, each in a namespace of its own, as one preview takes seconds: first with
the pack as it is, which shows what it refuses; then with every rule advisory, as the engine asks
no stack rule once a resource was refused. A program with a root, or with a config of its own, is
alone.
"""

from collections.abc import Iterable, Sequence

import pytest
from pulumi_policy import EnforcementLevel
from synapse_policy.judging import StackRule
from synapse_policy.pack import POLICIES

from tests.policy.corpus import cases
from tests.policy.corpus.cases import Case
from tests.policy.corpus.engine import Bench, Judged, Said
from tests.policy.good_stack import good_stack
from tools.toolchain import Toolchain

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

MANDATORY = {rule.name for rule in POLICIES if rule.enforcement_level is EnforcementLevel.MANDATORY}
STACK_RULES = {rule.name for rule in POLICIES if isinstance(rule, StackRule)}
TOGETHER = [case for case in cases.bad() if not case.is_alone]
ADVISORY = {"all": "advisory"}


@pytest.fixture(scope="module")
def bench(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("corpus"), toolchain)


@pytest.fixture(scope="module")
def refused(bench: Bench) -> Judged:
    """All that a rule of one resource has to refuse."""
    return _together(bench, "refused", [case for case in TOGETHER if case.rule not in STACK_RULES])


@pytest.fixture(scope="module")
def refused_as_a_stack(bench: Bench) -> Judged:
    """All that a rule of the whole stack has to refuse."""
    return _together(bench, "stacks", [case for case in TOGETHER if case.rule in STACK_RULES])


@pytest.fixture(scope="module")
def advised(bench: Bench) -> Judged:
    """The same, with all that any rule says of them."""
    resources = tuple(one for case in TOGETHER for one in case.resources)
    return bench.preview("advised", resources, ADVISORY)


def _together(bench: Bench, name: str, of: Iterable[Case]) -> Judged:
    return bench.preview(name, tuple(one for case in of for one in case.resources))


def test_the_corpus_is_large_enough_and_every_rule_has_a_case() -> None:
    assert len(cases.bad()) >= 60
    assert len(cases.good()) >= 20
    assert MANDATORY - {case.rule for case in cases.bad()} == set()


@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case.case)
def test_a_bad_program_is_refused_by_its_rule(
    case: Case, request: pytest.FixtureRequest, advised: Judged
) -> None:
    which = "refused_as_a_stack" if case.rule in STACK_RULES else "refused"
    judged: Judged = request.getfixturevalue(which)
    assert judged.status != 0
    _is_caught(case, [one for one in judged.said if _is_of(case, one)])
    _is_bad_in_one_way(case, [one for one in advised.said if _is_of(case, one)])


@pytest.mark.parametrize("case", [c for c in cases.bad() if c.is_alone], ids=lambda case: case.case)
def test_a_bad_program_is_refused_for_what_it_is_judged_by(case: Case, bench: Bench) -> None:
    judged = bench.preview(case.case, case.resources, case.config)
    assert judged.status != 0, judged.text
    _is_caught(case, judged.said)
    _is_bad_in_one_way(case, judged.said)


def test_good_programs_pass(bench: Bench) -> None:
    judged = _together(bench, "good", [case for case in cases.good() if not case.is_alone])
    _passes(judged)


@pytest.mark.parametrize(
    "case", [c for c in cases.good() if c.is_alone], ids=lambda case: case.case
)
def test_a_good_program_passes_within_its_budgets(case: Case, bench: Bench) -> None:
    _passes(bench.preview(case.case, case.resources, case.config))


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
def test_our_own_stack_passes(phase: int, bench: Bench) -> None:
    _passes(bench.preview(f"phase-{phase}", good_stack(phase)))


def test_nothing_is_said_of_nobody(advised: Judged) -> None:
    """Else a violation of the programs above would be missed."""
    known = {case.case for case in TOGETHER}
    assert [one for one in advised.said if one.resource.partition("/")[0] not in known] == []


def _is_of(case: Case, said: Said) -> bool:
    return said.resource.startswith(f"{case.case}/")


def _is_caught(case: Case, said: Sequence[Said]) -> None:
    found = [one for one in said if one.rule == case.rule]
    assert found, f"{case.rule} is silent; said is {said}"
    assert {one.level for one in found} == {"mandatory"}
    assert any(case.culprit and case.culprit in one.message for one in found), found
    assert not any("Traceback" in one.message or "itself failed" in one.message for one in said)


def _is_bad_in_one_way(case: Case, said: Sequence[Said]) -> None:
    # A rule and its twin for the deployed stack say the same of two moments.
    expected = {case.rule, f"{case.rule}-deployed", *case.also}
    assert [one for one in said if one.rule in MANDATORY and one.rule not in expected] == []


def _passes(judged: Judged) -> None:
    assert [one for one in judged.said if one.rule in MANDATORY] == []
    assert judged.status == 0, judged.text
