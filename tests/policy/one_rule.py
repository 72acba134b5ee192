"""What one rule says of a few manifests, as the engine would show them."""

import json
from functools import cache
from typing import Any

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import unknown_checking_proxy
from synapse_policy.pack import POLICIES

from tests.policy.forge import NAMESPACE, Json, plan
from tests.policy.judge import ROOT_TYPE, judge_by, judge_root
from tests.policy.resource_sets import manifest

_STACK = "urn:pulumi:dev::synapse::"


def ours(rule: str, *manifests: Json, settings: Json | None = None) -> str:
    """The messages about objects below a root; empty where the rule is silent."""
    _know_the_plan()
    return _said(rule, manifests, below_root=True, settings=settings)


def theirs(rule: str, *manifests: Json, settings: Json | None = None) -> str:
    """The messages about objects of a program without a root."""
    return _said(rule, manifests, below_root=False, settings=settings)


def made(
    kind: str, name: str, *, api: str = "v1", metadata: Json | None = None, **body: Any
) -> Json:
    """A manifest; `spec` and the like are keywords."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **(metadata or {})}, **body}


def deployment(name: str, container: Json, *, pod: Json | None = None, **spec: Any) -> Json:
    """A Deployment of one container whose pods have the label `app`."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, **container}], **(pod or {})},
    }
    return made("Deployment", name, api="apps/v1", spec={"template": template, **spec})


def service(name: str, app: str | None = None, **spec: Any) -> Json:
    """A Service for the pods with this label `app`."""
    ports = [{"name": "http", "port": 8000}]
    return made("Service", name, spec={"selector": {"app": app or name}, "ports": ports, **spec})


@cache
def _know_the_plan() -> None:
    judge_root(plan())


def _said(
    rule: str, manifests: tuple[Json, ...], *, below_root: bool, settings: Json | None
) -> str:
    policy = next(one for one in POLICIES if one.name == rule)
    shown = [manifest(one, NAMESPACE) for one in manifests]
    sent = [
        (one.type, one.name, json.loads(json.dumps(one.inputs), parse_int=float)) for one in shown
    ]
    if isinstance(policy, StackValidationPolicy):
        return _of_stack(policy, sent, below_root=below_root, settings=settings)
    found = []
    for token, name, inputs in sent:
        found += judge_by(policy, token, inputs, name, below_root=below_root, settings=settings)
    return "\n".join(one.message for one in found)


def _of_stack(
    rule: StackValidationPolicy,
    sent: list[tuple[str, str, Json]],
    *,
    below_root: bool,
    settings: Json | None,
) -> str:
    above = f"{ROOT_TYPE}$" if below_root else ""
    resources = [(f"{_STACK}{above}{token}::{name}", token, name, i) for token, name, i in sent]
    if below_root:
        resources.insert(0, (f"{_STACK}{ROOT_TYPE}::synapse", ROOT_TYPE, "synapse", {}))
    options = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    found: list[str] = []

    def collect(message: str, _: str | None = None) -> None:
        found.append(message)

    rule.validate(
        StackValidationArgs(
            [
                PolicyResource(
                    token, unknown_checking_proxy(inputs), urn, name, options, None, None, [], {}
                )
                for urn, token, name, inputs in resources
            ],
            settings,
        ),
        collect,
    )
    return "\n".join(found)
