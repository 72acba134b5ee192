"""The gateway stays up: two replicas, a rollout and an eviction that always leave one of them."""

import math
from collections.abc import Callable, Iterable

from pulumi_policy import ResourceValidationArgs, StackValidationArgs
from pydantic import BaseModel, ConfigDict, Field

from synapse_policy import quantity
from synapse_policy.judging import Report, resource_rule, stack_rule
from synapse_policy.objects import KubernetesObject, by_cluster, objects_in, with_workloads
from synapse_policy.reading import child, number, text
from synapse_policy.root import is_below_root
from synapse_policy.selectors import selects
from synapse_policy.servers import gateway_in
from synapse_policy.workload import Workload

_DEFAULT_UNAVAILABLE = "25%"
_SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")


class GatewaySurvives(BaseModel):
    """How much of the gateway has to stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_replicas: int = Field(default=2, ge=1, description="replicas that the gateway has at least")


def check_resource(args: ResourceValidationArgs, report: Report, settings: GatewaySurvives) -> None:
    """Judge the gateway's replicas and its rollout."""
    for one in objects_in(args):
        workload = one.workload
        if workload is None or gateway_in(workload) is None:
            continue
        if one.is_patch and not child(one.spec, "strategy") and one.spec.get("replicas") is None:
            continue
        if one.kind not in _SCALED:
            report(
                f"{one.label} runs the gateway, and nothing keeps a second one beside it; make it "
                f"a Deployment with {settings.min_replicas} replicas or more"
            )
            continue
        said = number(one.spec, "replicas")
        unsaid_is_one = is_below_root(args.urn) and said is None and not one.is_patch
        if unsaid_is_one or (said is not None and said < settings.min_replicas):
            _report_replicas(one, 1 if said is None else round(said), settings, report)
        _judge_rollout(one, workload, settings, report)


def _judge_rollout(
    one: KubernetesObject, workload: Workload, settings: GatewaySurvives, report: Report
) -> None:
    if one.kind != "Deployment":
        return
    strategy = child(one.spec, "strategy")
    if text(strategy, "type") == "Recreate":
        report(
            f"{one.label} has strategy.type Recreate, so every rollout and the daily restart take "
            "the gateway down; set RollingUpdate with maxUnavailable 0 and maxSurge 1"
        )
        return
    most = child(strategy, "rollingUpdate").get("maxUnavailable")
    replicas = max(workload.replicas, settings.min_replicas)
    missing = _share(_DEFAULT_UNAVAILABLE if most is None else most, replicas, math.floor)
    if missing > 0:
        said = "is not set, which is 25 %" if most is None else f"is {_plain(most)}"
        report(
            f"{one.label}: strategy.rollingUpdate.maxUnavailable {said}, so a rollout takes "
            f"{missing} of {replicas} replicas away at once; set maxUnavailable to 0 and maxSurge "
            "to 1"
        )


def check_stack(args: StackValidationArgs, report: Report, settings: GatewaySurvives) -> None:
    """Judge the gateway with its disruption budget and whatever scales it."""
    for objects in by_cluster(args.resources):
        for one, workload in with_workloads(objects):
            if gateway_in(workload) is None or one.kind not in _SCALED:
                continue
            replicas = workload.replicas
            scaler = _scaler_of(one, objects)
            if scaler is not None:
                replicas = _least_replicas(scaler)
                if replicas < settings.min_replicas:
                    _report_replicas(scaler, replicas, settings, report)
            elif one.spec.get("replicas") is None and not is_below_root(one.urn):
                _report_replicas(one, replicas, settings, report)
            _judge_budgets(one, workload, max(replicas, settings.min_replicas), objects, report)


def _scaler_of(
    one: KubernetesObject, objects: Iterable[KubernetesObject]
) -> KubernetesObject | None:
    """Return the autoscaler that sets a workload's replicas."""
    for other in objects:
        if other.kind in ("HorizontalPodAutoscaler", "ScaledObject"):
            target = child(other.spec, "scaleTargetRef")
            if text(target, "name") == one.name and other.namespace == one.namespace:
                return other
    return None


def _least_replicas(scaler: KubernetesObject) -> int:
    if scaler.kind == "ScaledObject":
        return round(number(scaler.spec, "minReplicaCount") or 0)  # KEDA's default
    least = number(scaler.spec, "minReplicas")
    return 1 if least is None else round(least)


def _judge_budgets(
    one: KubernetesObject,
    workload: Workload,
    replicas: int,
    objects: Iterable[KubernetesObject],
    report: Report,
) -> None:
    budgets = [
        other
        for other in objects
        if other.is_a("PodDisruptionBudget", "policy")
        and other.spec.get("selector") is not None
        and selects(child(other.spec, "selector"), workload.pod_labels)
        and other.namespace == one.namespace
    ]
    if not budgets:
        report(
            f"no PodDisruptionBudget selects the pods of {one.label}, so a drained node may take "
            "all of them at once; add one with maxUnavailable: 1 and the selector of its pods",
            one.urn,
        )
    for budget in budgets:
        least, most = budget.spec.get("minAvailable"), budget.spec.get("maxUnavailable")
        if least is not None:
            may_go = replicas - _share(least, replicas, math.ceil)
            said = f"minAvailable {_plain(least)}"
        else:
            may_go = _share(0 if most is None else most, replicas, math.ceil)
            said = f"maxUnavailable {0 if most is None else _plain(most)}"
        if may_go < 1:
            report(
                f"{budget.label} has {said} for {replicas} replicas of {one.label}, so none may "
                "ever be evicted and a node is never drained; set maxUnavailable: 1",
                budget.urn,
            )
        elif may_go >= replicas:
            report(
                f"{budget.label} has {said} for {replicas} replicas of {one.label}, so all of them "
                "may be evicted at once; set maxUnavailable: 1",
                budget.urn,
            )


def _report_replicas(
    one: KubernetesObject, replicas: int, settings: GatewaySurvives, report: Report
) -> None:
    report(
        f"{one.label} leaves the gateway {replicas} replicas < {settings.min_replicas}: while "
        f"one restarts, nothing answers; set replicas to {settings.min_replicas} or more "
        "(gateway.replicas)",
        one.urn,
    )


def _share(value: object, of: int, rounded: Callable[[float], int]) -> int:
    """Return a number of pods, or a part of all: of a percentage, rounded as Kubernetes does."""
    if isinstance(value, str) and value.endswith("%"):
        return rounded(quantity.amount(value.removesuffix("%")) / 100 * of)
    return round(quantity.amount(_plain(value)))


def _plain(value: object) -> object:
    return round(value) if isinstance(value, float) else value


_REASON = (
    "LiteLLM leaks memory and is restarted daily; with one replica, or a rollout or drain that may "
    "take all of them, every restart is an outage of all models."
)
_CURE = (
    "Two replicas or more, maxUnavailable 0 in the rollout, and a PodDisruptionBudget with "
    "maxUnavailable 1."
)

RULES = (
    resource_rule(
        name="gateway-survives",
        description="The gateway has two replicas or more, and a rollout takes none of them away.",
        reason=_REASON,
        cure=_CURE,
        check=check_resource,
        settings=GatewaySurvives,
    ),
    stack_rule(
        name="gateway-survives-deployed",
        description="A disruption budget lets the gateway's pods go one by one.",
        reason=_REASON,
        cure=_CURE,
        check=check_stack,
        settings=GatewaySurvives,
    ),
)
