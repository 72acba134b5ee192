"""Everything of the stack lies in the namespaces that the plan names, and nowhere else."""

from collections.abc import Iterable

from pulumi_policy import ResourceValidationArgs
from pydantic import BaseModel, ConfigDict, Field

from synapse_policy.judging import Report, Scope, resource_rule
from synapse_policy.objects import objects_in
from synapse_policy.plan_view import PlanView
from synapse_policy.reading import text
from synapse_policy.root import is_below_root, plan_for

_LEGACY = "legacy"
_RELEASE = "kubernetes:helm.sh/v3:Release"


class OwnNamespace(BaseModel):
    """Namespaces beside the plan's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    also: tuple[str, ...] = Field(
        default=(), description="other namespaces that objects of the stack may lie in"
    )


def check(args: ResourceValidationArgs, report: Report, settings: OwnNamespace) -> None:
    """Judge where an object below a root lies."""
    if not is_below_root(args.urn):
        return
    if args.resource_type.startswith(_RELEASE):
        where = text(args.props, "namespace") or "default"
        _judge(f"Release {args.name!r}", where, args.urn, settings, report)
    for one in objects_in(args):
        if one.kind == "Namespace":
            allowed = _allowed(args.urn, settings)
            if one.name not in allowed:
                report(
                    f"{one.label} is none of the stack's: the plan names {_shown(allowed)}; call "
                    "it so, or set namespace in the config"
                )
        elif not one.is_cluster_wide:
            _judge(one.label, one.namespace, args.urn, settings, report)


def _judge(label: str, where: str, urn: str, settings: OwnNamespace, report: Report) -> None:
    allowed = _allowed(urn, settings)
    if where not in allowed:
        report(
            f"{label} lies in namespace {where!r}, and the stack's is {_shown(allowed)}; set "
            "metadata.namespace, or the quota, the NetworkPolicies and the secrets of the stack do "
            "not hold for it"
        )


def _allowed(urn: str, settings: OwnNamespace) -> tuple[str, ...]:
    return (*namespaces_of(plan_for(urn)), *settings.also)


def _shown(names: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in names)


def namespaces_of(plan: PlanView) -> tuple[str, ...]:
    """Return the plan's, its workloads', the device plugin's; old services keep theirs."""
    of_workloads = (one.namespace for one in plan.workloads if one.kind != _LEGACY)
    of_plugin = filter(None, [plan.gpu.device_plugin_namespace])
    return tuple(dict.fromkeys((plan.namespace, *of_workloads, *of_plugin)))


RULES = (
    resource_rule(
        name="own-namespace",
        description="Every object of the stack lies in a namespace that the plan names.",
        reason=(
            "Quota, NetworkPolicies and secrets hold for one namespace: what lies elsewhere is "
            "under none of them, and stays behind when the stack goes."
        ),
        cure="Set metadata.namespace to the plan's namespace.",
        check=check,
        settings=OwnNamespace,
        scope=Scope.ROOT,
    ),
)
