"""Judges a set of resources with all rules, in this process; the real engine is in test_corpus."""

import re
from collections.abc import Callable
from typing import Any

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy
from synapse_policy.pack import POLICIES

from tests.policy.judge import Violation
from tests.policy.resource_sets import PROVIDER_TYPE, ROOT_TYPE, Resource, Resources, urns

_STACK = "dev::synapse"
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def judge_set(resources: Resources, known: Resources = ()) -> list[Violation]:
    """What every rule says of the program that registers these, in this order.

    Args:
        resources: all of them.
        known: a set of which no rule says anything. What both have in common is not judged again by
            the rules of one resource, which see nothing else but the plan: so not with another.
    """
    found: list[Violation] = []
    shown = _shown(resources)
    again = _names_in_common(resources, known)
    for one in shown:
        if one.name not in again:
            args = ResourceValidationArgs(
                one.resource_type, one.props, one.urn, one.name, one.opts, one.provider
            )
            for rule in POLICIES:
                if isinstance(rule, ResourceValidationPolicy):
                    rule.validate(args, _collector(rule.name, found))
    for rule in POLICIES:
        if isinstance(rule, StackValidationPolicy):
            rule.validate(StackValidationArgs(shown), _collector(rule.name, found))
    return found


def _collector(rule: str, found: list[Violation]) -> Callable[[str, str | None], None]:
    def collect(message: str, urn: str | None = None) -> None:
        found.append(Violation(rule, message, urn))

    return collect


def _names_in_common(resources: Resources, known: Resources) -> set[str]:
    roots = [one for one in resources if one.type == ROOT_TYPE]
    if any(root not in known for root in roots):
        return set()
    # The root itself is shown every time: by that the rules learn the plan.
    return {one.name for one in resources if one in known and one not in roots}


def _shown(resources: Resources) -> list[PolicyResource]:
    urn_of = urns(resources, _STACK)
    found: dict[str, PolicyResource] = {}
    provider = next((one for one in resources if one.type == PROVIDER_TYPE), None)
    for one in resources:
        asked = None
        if provider is not None and one.is_kubernetes:
            asked = PolicyProviderResource(
                PROVIDER_TYPE, provider.inputs, urn_of[provider.name], provider.name
            )
        found[one.name] = PolicyResource(
            one.type,
            unknown_checking_proxy(_as_sent(one.inputs)),
            urn_of[one.name],
            one.name,
            _options(one, urn_of.get(one.parent or "")),
            asked,
            found.get(one.parent or ""),
            [],
            {},
        )
    return list(found.values())


def _as_sent(value: Any) -> Any:
    """Numbers travel as floats, and what no preview knows as a text of its own."""
    if isinstance(value, dict):
        if "$unknown" in value:
            return UNKNOWN_STRING_VALUE
        return {key: _as_sent(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_sent(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _options(one: Resource, parent_urn: str | None) -> PolicyResourceOptions:
    timeouts = PolicyCustomTimeouts(
        _seconds(one.options.get("create_within", "")),
        _seconds(one.options.get("update_within", "")),
        0,
    )
    protect = bool(one.options.get("protect"))
    return PolicyResourceOptions(protect, [], None, [], timeouts, [], parent_urn)


def _seconds(duration: str) -> float:
    """Seconds of `1800s` or `30m`; 0 where nothing is set."""
    return sum(
        float(count) * _SECONDS[unit] for count, unit in re.findall(r"(\d+)([smh])", duration)
    )
