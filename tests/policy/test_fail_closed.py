"""What cannot be judged is refused, and nobody else's program is."""

import pytest
from pulumi_policy import EnforcementLevel
from synapse_policy import root
from synapse_policy.judging import Scope
from synapse_policy.pack import POLICIES

from tests.policy import forge
from tests.policy.forge import Json, plan, resources
from tests.policy.judge import (
    ROOT_TYPE,
    UNKNOWN,
    judge_all,
    judge_resource,
    judge_root,
    judge_stack,
    rules,
    said,
)

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
WISHES = {"cpu-limit-set", "exceptions-in-use", "image-digest"}
"""The advisory rules."""
NEEDS_THE_PLAN = {
    "engine-image-runs-on-gpu",
    "vram-in-every-state",
    "gpu-count",
    "ram-sum",
    "disk",
    "engine-fits-its-share",
    "ollama-fits-its-limit",
    "plan-agrees",
}


def test_every_rule_but_a_wish_is_mandatory_and_named_once() -> None:
    levels = {rule.name: rule.enforcement_level for rule in POLICIES}
    wishes = {name for name, level in levels.items() if level is EnforcementLevel.ADVISORY}
    assert wishes == WISHES
    assert set(levels.values()) <= {EnforcementLevel.ADVISORY, EnforcementLevel.MANDATORY}
    assert len(levels) == len(POLICIES)


def test_an_unknown_plan_is_refused_by_every_rule_that_needs_it() -> None:
    assert rules(judge_resource(ROOT_TYPE, {"plan": UNKNOWN})) == NEEDS_THE_PLAN


def test_an_unknown_figure_in_the_plan_is_refused() -> None:
    made = plan()
    made["workloads"][0]["pod"]["memory_limit_gib"] = UNKNOWN
    assert rules(judge_root(made)) == NEEDS_THE_PLAN


@pytest.mark.parametrize("props", [{}, {"plan": None}, {"plan": {}}, {"plan": "fits"}])
def test_a_root_without_a_readable_plan_is_refused(props: Json) -> None:
    assert rules(judge_resource(ROOT_TYPE, props)) == NEEDS_THE_PLAN


def test_a_missing_figure_is_named() -> None:
    made = plan()
    del made["node"]["storage_gib"]
    assert "plan.node.storage_gib" in said(judge_root(made), "disk")


def _unknown(*path: str | int) -> Json:
    made = forge.engine()
    holder = made
    for key in path[:-1]:
        holder = holder[key]  # type: ignore[index]  # a path through JSON
    holder[path[-1]] = UNKNOWN  # type: ignore[index]
    return made


_CONTAINER = ("spec", "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (_unknown("spec"), {"never-pull-never", "gpu-count", "engine-fits-its-share"}),
        (_unknown(*_CONTAINER, "args"), {"engine-fits-its-share", "resources-agree"}),
        (_unknown(*_CONTAINER, "args", 1), {"engine-fits-its-share", "resources-agree"}),
        (_unknown(*_CONTAINER, "resources"), {"gpu-count", "resources-agree"}),
        (_unknown(*_CONTAINER, "imagePullPolicy"), {"never-pull-never"}),
        (_unknown("spec", "replicas"), {"gpu-count"}),
    ],
)
def test_an_unknown_value_that_a_rule_needs_is_refused(made: Json, expected: set[str]) -> None:
    judge_root(plan())
    found = judge_resource(DEPLOYMENT, made)
    assert expected <= rules(found)
    assert "can't be known during preview" in found[0].message


def test_an_unknown_value_that_no_rule_needs_passes() -> None:
    judge_root(plan())
    made = forge.engine()
    made["metadata"]["uid"] = UNKNOWN
    made["status"] = UNKNOWN
    made["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "TOKEN", "value": "x", "note": UNKNOWN}
    ]
    assert judge_resource(DEPLOYMENT, made) == []


def test_an_unknown_value_in_a_deployed_sum_is_refused_and_names_its_path() -> None:
    judge_root(plan())
    there = resources()
    container = there["gateway"][1]["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["limits"]["memory"] = UNKNOWN
    message = said(judge_stack(there), "ram-sum-deployed")
    assert ".resources.limits.memory" in message


def test_a_resource_below_a_root_that_was_never_judged_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(root, "_seen", {})
    found = judge_resource(DEPLOYMENT, forge.engine())
    assert {"gpu-count", "engine-fits-its-share", "resources-agree"} <= rules(found)
    assert "no plan was seen" in found[0].message
    found = judge_stack(resources())
    assert {"vram-in-every-state-deployed", "network-policy-covers-deployed"} <= rules(found)
    assert all("no plan was seen" in one.message for one in found)


def test_two_roots_are_refused() -> None:
    judge_root(plan())
    found = judge_stack({"second": (ROOT_TYPE, {})})
    assert "two roots" in said(found, "ram-sum-deployed")


def test_a_foreign_program_is_judged_by_the_plain_rules_alone() -> None:
    """What its GPU pods take, against which machine, is none of our business without a root."""
    greedy = forge.engine()
    container = greedy["spec"]["template"]["spec"]["containers"][0]
    container["args"] = ["--gpu-memory-utilization=0.99", UNKNOWN]
    container["resources"] = UNKNOWN
    greedy["spec"]["replicas"] = UNKNOWN
    found = judge_resource(DEPLOYMENT, greedy, below_root=False)
    found += judge_stack({}, root=False, outside={"greedy": (DEPLOYMENT, greedy)})
    assert rules(found) <= {one.name for one in POLICIES if one.about.scope is Scope.ANY}


def test_the_refusal_holds_when_the_plan_says_that_all_fits() -> None:
    """The program's own check is bypassed: a plan whose every sum and verdict was made to fit."""
    made = plan()
    made["engine"]["gpu_memory_utilization"] = 0.98
    made["verdicts"] = [{"rule": "vram", "fits": True}]
    found = judge_all(made, resources())
    assert {"vram-in-every-state", "plan-agrees", "resources-agree"} <= rules(found)


def test_no_message_shows_a_variable_that_may_be_a_secret() -> None:
    judge_root(plan())
    made = forge.engine()
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "HF_TOKEN", "value": "hf_hidden"}]
    container["args"] += ["--api-key=sk-hidden", "--gpu-memory-utilization=0.99"]
    shown = " ".join(one.message for one in judge_resource(DEPLOYMENT, made))
    assert shown
    assert "hidden" not in shown
