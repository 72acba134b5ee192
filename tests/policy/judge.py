"""Runs the pack's rules as the engine does: arguments as proxies, violations into a list."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pulumi_policy import (
    Policy,
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy
from synapse_policy.judging import STACK_TYPE
from synapse_policy.pack import POLICIES

from tests.policy.forge import Json

UNKNOWN = UNKNOWN_STRING_VALUE
ROOT_TYPE = "synapse:stack:Synapse"
_STACK = "urn:pulumi:dev::synapse::"
Resources = Mapping[str, tuple[str, Json]]
Config = Mapping[str, Json]
"""Settings by rule, as the engine hands them over."""


class Violation(NamedTuple):
    rule: str
    message: str
    urn: str | None


def _options() -> PolicyResourceOptions:
    """As our program gives them where they matter: protected, and patient with an engine."""
    return PolicyResourceOptions(True, [], None, [], PolicyCustomTimeouts(2400, 2400, 0), [])


def _urn(resource_type: str, name: str, below_root: bool) -> str:
    parents = f"{ROOT_TYPE}$synapse:test:Phase$" if below_root else ""
    return f"{_STACK}{parents}{resource_type}::{name}"


def judge_resource(
    resource_type: str,
    props: Json,
    name: str = "it",
    *,
    below_root: bool = True,
    config: Config | None = None,
) -> list[Violation]:
    """What the resource rules say of one resource, with the pack's config by rule."""
    found: list[Violation] = []
    for rule in POLICIES:
        if isinstance(rule, ResourceValidationPolicy):
            settings = (config or {}).get(rule.name)
            found += judge_by(
                rule, resource_type, props, name, below_root=below_root, settings=settings
            )
    return found


def judge_by(
    rule: ResourceValidationPolicy,
    resource_type: str,
    props: Json,
    name: str = "it",
    *,
    below_root: bool = True,
    settings: Json | None = None,
) -> list[Violation]:
    """What one rule says of one resource."""
    below = below_root and resource_type not in (ROOT_TYPE, STACK_TYPE)
    args = ResourceValidationArgs(
        resource_type,
        unknown_checking_proxy(props),
        _urn(resource_type, name, below),
        name,
        _options(),
        None,
        settings,
    )
    found: list[Violation] = []
    rule.validate(args, _collect(rule, found))
    return found


def _collect(rule: Policy, found: list[Violation]) -> ReportViolation:
    def collect(message: str, urn: str | None = None) -> None:
        found.append(Violation(rule.name, message, urn))

    return collect


def judge_root(plan: Json) -> list[Violation]:
    """What the resource rules say of the root component with this plan."""
    return judge_resource(ROOT_TYPE, {"plan": plan}, "synapse")


def judge_stack(
    resources: Resources,
    *,
    root: bool = True,
    outside: Resources | None = None,
    config: Config | None = None,
) -> list[Violation]:
    """What the stack rules say, after a root was judged that carried the plan."""
    shown = [_shown(name, *one, below_root=root) for name, one in resources.items()]
    shown += [_shown(name, *one, below_root=False) for name, one in (outside or {}).items()]
    if root:
        shown.insert(0, _shown("synapse", ROOT_TYPE, {}, below_root=False))
    found: list[Violation] = []
    for rule in POLICIES:
        if isinstance(rule, StackValidationPolicy):
            args = StackValidationArgs(shown, (config or {}).get(rule.name))
            rule.validate(args, _collect(rule, found))
    return found


def _shown(name: str, resource_type: str, props: Json, *, below_root: bool) -> PolicyResource:
    urn = _urn(resource_type, name, below_root)
    proxy = unknown_checking_proxy(props)
    return PolicyResource(resource_type, proxy, urn, name, _options(), None, None, [], {})


def judge_all(plan: Json, resources: Resources) -> list[Violation]:
    """What all rules say of a whole program."""
    found = judge_root(plan)
    for name, (resource_type, props) in resources.items():
        found += judge_resource(resource_type, props, name)
    return found + judge_stack(resources)


def rules(found: Iterable[Violation]) -> set[str]:
    return {violation.rule for violation in found}


def said(found: Iterable[Violation], rule: str) -> str:
    """The messages of one rule; empty where it is silent."""
    return "\n".join(violation.message for violation in found if violation.rule == rule)
