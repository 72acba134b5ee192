"""Exceptions: silent for their subject until their day is over, and never out of sight."""

from datetime import date

import pytest
from synapse_policy import exceptions
from synapse_policy.judging import STACK_TYPE

from tests.policy.forge import Json, plan, resources
from tests.policy.judge import UNKNOWN, judge_resource, judge_root, judge_stack, rules, said

SERVICE = "kubernetes:serving.example.com/v1:Service"
RULE = "never-pull-never"
IN_USE = "exceptions-in-use"
TODAY = date(2026, 7, 1)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has judged nothing yet, on a day of the test's own."""
    monkeypatch.setattr(exceptions, "_given", {})
    monkeypatch.setattr(exceptions, "_silenced", {})
    monkeypatch.setattr(exceptions, "today", lambda: TODAY)


def _excepted(resource: str, until: str = "2026-12-31", rule: str = RULE) -> dict[str, Json]:
    entry = {"resource": resource, "reason": "moves in May", "owner": "ops@x", "until": until}
    return {rule: {"exceptions": [entry]}}


def _service(namespace: object = "ai", pull: object = "Never") -> Json:
    return {"metadata": {"name": "vllm", "namespace": namespace}, "imagePullPolicy": pull}


@pytest.mark.parametrize(
    "resource",
    [
        "Service/ai/vllm",
        "Service/ai/*",
        "Service/*",
        "*",
        "urn:pulumi:dev::synapse::*::it",
    ],
)
def test_an_exception_silences_its_subject(resource: str) -> None:
    assert judge_resource(SERVICE, _service(), below_root=False, config=_excepted(resource)) == []


@pytest.mark.parametrize(
    "resource", ["Service/other/vllm", "Deployment/ai/vllm", "Service/vllm", "stack", "service/*"]
)
def test_an_exception_for_another_subject_silences_nothing(resource: str) -> None:
    found = judge_resource(SERVICE, _service(), below_root=False, config=_excepted(resource))
    assert rules(found) == {RULE}


def test_an_exception_of_another_rule_silences_nothing() -> None:
    config = _excepted("*", rule="disk")
    found = judge_resource(SERVICE, _service(), below_root=False, config=config)
    assert rules(found) == {RULE}


def test_an_exception_holds_on_its_last_day_and_not_on_the_next() -> None:
    for until, expected in (("2026-07-01", set()), ("2026-06-30", {RULE})):
        found = judge_resource(
            SERVICE, _service(), below_root=False, config=_excepted("*", until=until)
        )
        assert rules(found) == expected


def test_an_expired_exception_is_itself_a_violation() -> None:
    """Also where it matches nothing: it names the rule, the owner and the day."""
    config = _excepted("Service/gone", until="2026-06-30")
    found = judge_resource(STACK_TYPE, {}, config=config)
    assert rules(found) == {RULE}
    message = said(found, RULE)
    assert all(word in message for word in (RULE, "ops@x", "2026-06-30", "moves in May"))


def test_an_expired_exception_of_a_stack_rule_is_a_violation() -> None:
    config = _excepted("stack", until="2020-01-01", rule="ram-sum-deployed")
    found = judge_stack({}, root=False, config=config)
    assert "ended on 2020-01-01" in said(found, "ram-sum-deployed")


def test_an_exception_may_be_for_what_a_rule_says_of_the_whole_stack() -> None:
    judge_root(plan())
    there = resources()
    container = there["gateway"][1]["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["limits"]["memory"] = "900Gi"
    assert "ram-sum-deployed" in rules(judge_stack(there))
    for resource in ("stack", "*"):
        config = _excepted(resource, rule="ram-sum-deployed")
        assert "ram-sum-deployed" not in rules(judge_stack(there, config=config))
    config = _excepted("Deployment/*", rule="ram-sum-deployed")
    assert "ram-sum-deployed" in rules(judge_stack(there, config=config))


def test_what_an_exception_silences_stays_visible() -> None:
    judge_resource(SERVICE, _service(), below_root=False, config=_excepted("Service/ai/*"))
    found = judge_stack({}, root=False)
    message = said(found, IN_USE)
    assert "ops@x answers until 2026-12-31" in message
    assert "IfNotPresent" in message
    assert found[0].urn is not None
    assert found[0].urn.endswith("::it")


def test_an_exception_that_matches_nothing_is_shown() -> None:
    judge_resource(STACK_TYPE, {}, config=_excepted("Service/gone"))
    assert "matches no violation" in said(judge_stack({}, root=False), IN_USE)


def test_a_subject_whose_name_is_unknown_is_still_known_by_its_urn() -> None:
    props = _service(namespace=UNKNOWN)
    by_name = _excepted("Service/*")
    by_urn = _excepted("urn:*::it")
    assert rules(judge_resource(SERVICE, props, below_root=False, config=by_name)) == {RULE}
    assert judge_resource(SERVICE, props, below_root=False, config=by_urn) == []


def test_what_cannot_be_judged_may_be_excepted_as_well() -> None:
    props = _service(pull=UNKNOWN)
    assert rules(judge_resource(SERVICE, props, below_root=False)) == {RULE}
    config = _excepted("urn:*")
    assert judge_resource(SERVICE, props, below_root=False, config=config) == []
