"""The pack's config: typed, refused with all that is wrong with it, and known to the engine."""

from typing import Any

import jsonschema
import pytest
from pulumi_policy import EnforcementLevel, PolicyConfigSchema, ResourceValidationArgs
from pydantic import BaseModel, ConfigDict, Field
from synapse_policy.judging import STACK_TYPE, Report, Rule, resource_rule
from synapse_policy.pack import POLICIES
from synapse_policy.rule_config import RuleConfig, read_config

from tests.policy.judge import judge_by, judge_resource, judge_stack, rules, said

_SERVICE = "kubernetes:core/v1:Service"
_EXCEPTION = {
    "resource": "Service/*",
    "reason": "a test",
    "owner": "ops@example.com",
    "until": "2999-12-31",
}


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    most: int = Field(default=3, ge=1)
    names: tuple[str, ...] = ()
    budget_gib: float | None = None


def _schema(rule: Rule) -> dict[str, Any]:
    assert isinstance(rule.config_schema, PolicyConfigSchema)
    return {"type": "object", "properties": rule.config_schema.properties}


@pytest.mark.parametrize("rule", POLICIES, ids=lambda rule: rule.name)
def test_every_rule_has_words_exceptions_and_a_schema_that_the_engine_can_use(rule: Rule) -> None:
    assert rule.about.reason.endswith(".")
    assert rule.about.cure.endswith(".")
    assert rule.remediation_steps == rule.about.cure
    schema = _schema(rule)
    jsonschema.Draft7Validator.check_schema(schema)
    # The engine completes a rule's config by these defaults, and knows neither null nor $ref.
    defaults = {
        key: prop["default"] for key, prop in schema["properties"].items() if "default" in prop
    }
    assert None not in defaults.values()
    assert "$ref" not in str(schema)
    completed = {**defaults, "exceptions": [_EXCEPTION]}
    jsonschema.validate(completed, schema)
    read = read_config(completed, rule.about.settings)
    assert isinstance(read, RuleConfig)
    assert read.settings == rule.about.settings()


@pytest.mark.parametrize("rule", POLICIES, ids=lambda rule: rule.name)
def test_every_setting_is_described_and_may_be_left_out(rule: Rule) -> None:
    rule.about.settings()
    for name, field in rule.about.settings.model_fields.items():
        assert field.description, name
        assert name not in ("exceptions", "enforcementLevel")


def test_settings_arrive_typed_at_the_check() -> None:
    seen: list[object] = []

    def check(_: ResourceValidationArgs, __: Report, settings: _Settings) -> None:
        seen.append(settings)

    rule = resource_rule(
        name="it",
        description="It.",
        reason="So.",
        cure="So.",
        check=check,
        settings=_Settings,
        severity=EnforcementLevel.ADVISORY,
    )
    assert rule.enforcement_level is EnforcementLevel.ADVISORY
    for config in (None, {}, {"most": 7.0, "budget_gib": None, "names": ["a"]}):
        assert judge_by(rule, _SERVICE, {}, settings=config) == []
    assert seen == [_Settings(), _Settings(), _Settings(most=7, names=("a",))]


def test_all_that_is_wrong_with_a_config_is_said_at_once() -> None:
    read = read_config(
        {"most": 0.0, "exception": [], "exceptions": [{"resource": "", "until": "yesterday"}]},
        _Settings,
    )
    assert isinstance(read, str)
    for words in (
        "most: Input should be greater than or equal to 1 (it is 0.0)",
        "exception: Extra inputs are not permitted",
        "exceptions[0].resource",
        "exceptions[0].reason: Field required",
        "exceptions[0].owner: Field required",
        "exceptions[0].until",
        "'yesterday'",
    ):
        assert words in read


@pytest.mark.parametrize("given", ["strict", 3.0, ["exceptions"]])
def test_what_is_no_mapping_is_refused(given: object) -> None:
    assert "no mapping" in str(read_config(given, _Settings))


def test_an_invalid_config_fails_closed_once_and_names_the_rule() -> None:
    config = {"service-env-clash": {"strict": True}}
    found = judge_resource(STACK_TYPE, {}, config=config)
    assert rules(found) == {"service-env-clash"}
    message = said(found, "service-env-clash")
    assert "config of rule 'service-env-clash' is invalid: strict" in message
    clean = {"metadata": {"name": "web"}}
    assert judge_resource(_SERVICE, clean, below_root=False, config=config) == []


def test_an_invalid_config_of_a_stack_rule_fails_closed() -> None:
    config = {"ram-sum-deployed": {"node_memory_gib": -1.0}}
    found = judge_stack({}, root=False, config=config)
    assert "node_memory_gib" in said(found, "ram-sum-deployed")


def test_a_rule_that_breaks_refuses_and_shows_no_traceback() -> None:
    def check(_: ResourceValidationArgs, __: Report) -> None:
        raise KeyError("spec")

    rule = resource_rule(name="it", description="It.", reason="So.", cure="So.", check=check)
    message = said(judge_by(rule, _SERVICE, {}), "it")
    assert "the rule itself failed with KeyError('spec')" in message
    assert "why: So." in message
