"""Claims that hold models outlive every mistake: protected, and their namespace with them.

Only `protect` can be seen: the engine does not show `retain_on_delete` to a policy pack.
"""

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.judging import Report, resource_rule, stack_rule
from synapse_policy.objects import KubernetesObject, by_cluster, objects_in, with_workloads
from synapse_policy.reading import child, children, text
from synapse_policy.recognised import speech_of
from synapse_policy.root import is_below_root, plan_for
from synapse_policy.workload import Workload

_CLAIM = "PersistentVolumeClaim"
_CURE = "set protect=True and retain_on_delete=True in its ResourceOptions"


def check_planned(args: ResourceValidationArgs, report: Report) -> None:
    """Judge the claims that the plan names, and the namespace that they lie in."""
    if not is_below_root(args.urn):
        return
    for one in objects_in(args):
        if one.is_patch or args.opts.protect or one.group != "core":
            continue
        plan = plan_for(args.urn)
        if one.kind == _CLAIM and one.name in {volume.claim for volume in plan.volumes}:
            report(f"claim {one.name!r} holds models and is not protected; {_CURE}")
        if one.kind == "Namespace" and one.name == plan.namespace:
            report(
                f"{one.label} is not protected, and its deletion takes every claim in it along; "
                f"{_CURE}"
            )


def check_mounted(args: StackValidationArgs, report: Report) -> None:
    """Judge the claims that model servers mount, whatever they are called."""
    protected = {one.urn for one in args.resources if one.opts.protect}
    for objects in by_cluster(args.resources):
        claims = {(one.namespace, one.name): one.urn for one in objects if one.is_a(_CLAIM, "core")}
        reported: set[str] = set()
        for one, workload in with_workloads(objects):
            if not _holds_models(workload):
                continue
            _judge_templates(one, report)
            for claim in workload.claims:
                urn = claims.get((one.namespace, claim))
                if urn is not None and urn not in protected | reported:
                    reported.add(urn)
                    report(
                        f"claim {claim!r}, which {one.label} mounts, holds models and is not "
                        f"protected; {_CURE}",
                        urn,
                    )


def _holds_models(workload: Workload) -> bool:
    return bool(workload.engines or workload.ollamas or speech_of(workload))


def _judge_templates(one: KubernetesObject, report: Report) -> None:
    """A StatefulSet's claims stay behind it unless it says otherwise."""
    if one.kind != "StatefulSet" or not list(children(one.spec, "volumeClaimTemplates")):
        return
    kept = child(one.spec, "persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled"):
        if text(kept, field) == "Delete":
            report(
                f"{one.label} deletes its claims with the models "
                f"(persistentVolumeClaimRetentionPolicy.{field}); set it to Retain",
                one.urn,
            )


_REASON = (
    "A rollback, a new name or a destroy deletes a claim that is not protected, and with it "
    "hundreds of GiB that take hours to download again."
)

RULES = (
    resource_rule(
        name="volumes-protected",
        description="The plan's claims and their namespace are protected.",
        reason=_REASON,
        cure="Set protect=True and retain_on_delete=True on the claim and on its namespace.",
        check=check_planned,
    ),
    stack_rule(
        name="volumes-protected-deployed",
        description="Claims that an engine, Ollama or a speech server mounts are protected.",
        reason=_REASON,
        cure="Set protect=True and retain_on_delete=True on the claim.",
        check=check_mounted,
    ),
)
