"""The volumes: models fit theirs with room to spare, and all claims fit the storage."""

from collections.abc import Iterable, Sequence

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.budgets import DiskBudget
from synapse_policy.elsewhere import judge_claims
from synapse_policy.files import FULL_FRACTION, deployed_files, planned_files
from synapse_policy.judging import Report, Scope, resource_rule, stack_rule
from synapse_policy.plan_view import PlanView
from synapse_policy.root import is_below_root, is_root, plan_for, plan_in
from synapse_policy.stack import stack_of, storage_gib
from synapse_policy.words import Addend, exceeds, shown, total_gib
from synapse_policy.workload import kind_of, metadata_name


def check_resource(args: ResourceValidationArgs, report: Report) -> None:
    """Judge the plan's volumes, and each claim by itself."""
    if is_root(args):
        plan = plan_in(args)
        for volume in plan.volumes:
            _judge_files(volume.claim, volume.size_gib, planned_files(volume, plan), report)
        _judge_claims(plan, [Addend(one.claim, one.size_gib) for one in plan.volumes], report)
    elif kind_of(args.resource_type) == "PersistentVolumeClaim" and is_below_root(args.urn):
        plan = plan_for(args.urn)
        name = metadata_name(args.props, args.name)
        for volume in plan.volumes:
            if volume.claim == name:
                size_gib = storage_gib(name, args.props)
                _judge_files(name, size_gib, planned_files(volume, plan), report)


def check_stack(args: StackValidationArgs, report: Report, budget: DiskBudget) -> None:
    """Judge the deployed claims by the models that the workloads on them name."""
    stack = stack_of(args)
    if stack is None:
        judge_claims(args, budget, report)
        return
    for claim in stack.claims:
        files = deployed_files(claim.name, stack.workloads)
        _judge_files(claim.name, claim.size_gib, files, report)
    _judge_claims(stack.plan, [Addend(one.name, one.size_gib) for one in stack.claims], report)


def _judge_files(claim: str, size_gib: float, files: Sequence[Addend], report: Report) -> None:
    usable_gib = FULL_FRACTION * size_gib
    if files and exceeds(total_gib(files), usable_gib):
        needed_gib = total_gib(files) / FULL_FRACTION
        report(
            f"claim {claim!r}: {shown(files, usable_gib)}, which is {FULL_FRACTION:.0%} of its "
            f"{size_gib:.2f} GiB; make it {needed_gib:.0f} GiB or more, or drop a model"
        )


def _judge_claims(plan: PlanView, claims: Iterable[Addend], report: Report) -> None:
    lines = tuple(claims)
    if exceeds(total_gib(lines), plan.node.storage_gib):
        report(
            f"all claims within node.storage_gib: {shown(lines, plan.node.storage_gib)}; lower a "
            "volume's size, or set node.storage_gib to what there is"
        )


RULES = (
    resource_rule(
        name="disk",
        description=(
            "The models of each volume fit it with headroom, and all volumes fit the storage."
        ),
        reason="A download that fills its volume fails half way, and the model does not start.",
        cure="Make the volume larger, or drop a model.",
        check=check_resource,
        scope=Scope.ROOT,
    ),
    stack_rule(
        name="disk-deployed",
        description="The models that the deployed workloads name fit the claims that they mount.",
        reason="A download that fills its volume fails half way, and the model does not start.",
        cure="Make the claim larger, or drop a model.",
        check=check_stack,
        settings=DiskBudget,
        scope=Scope.BUDGET,
    ),
)
