"""GPUs as the scheduler counts them: a claim is a whole device, however little it uses."""

from collections.abc import Iterable

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.budgets import GpuCount
from synapse_policy.elsewhere import judge_gpu_claim, judge_gpu_claims, workload_elsewhere
from synapse_policy.gpu_states import State, planned_shares, states
from synapse_policy.judging import Report, Scope, resource_rule, stack_rule
from synapse_policy.plan_view import PlanView
from synapse_policy.root import is_root, plan_for, plan_in
from synapse_policy.shares import on_gpu, shares_of
from synapse_policy.stack import stack_of, workload_below_root


def check_resource(args: ResourceValidationArgs, report: Report, budget: GpuCount) -> None:
    """Judge the plan's states, and each GPU workload by itself."""
    if is_root(args):
        plan = plan_in(args)
        reached = (one for one in states(plan, planned_shares(plan)) if plan.reaches(one.phases))
        _judge(plan, reached, report)
        return
    elsewhere = workload_elsewhere(args)
    if elsewhere is not None:
        judge_gpu_claim(elsewhere, budget, report)
    workload = workload_below_root(args)
    if workload is None or not on_gpu(workload):
        return
    count = plan_for(args.urn).gpu.devices
    if workload.gpus == 0:
        report(
            f"{workload.label} is on the GPU and claims none, so the scheduler would put another "
            'beside it; set resources.limits["nvidia.com/gpu"]: "1"'
        )
    if workload.gpus > count:
        report(
            f"{workload.label} claims {workload.gpus} GPUs > {count} of the node (gpu.devices), so "
            f"it stays Pending; claim {count}"
        )
    if workload.replicas > 1:
        report(
            f"{workload.label} has {workload.replicas} replicas on the GPU; each takes its own "
            "share; set replicas to 1"
        )


def check_stack(args: StackValidationArgs, report: Report, budget: GpuCount) -> None:
    """Add up the claims of the deployed pods that may run together."""
    stack = stack_of(args)
    if stack is None:
        judge_gpu_claims(args, budget, report)
        return
    plan = stack.plan
    shares = planned_shares(plan) | shares_of(stack.workloads, plan)
    _judge(plan, (one for one in states(plan, shares) if plan.phase in one.phases), report)


def _judge(plan: PlanView, found: Iterable[State], report: Report) -> None:
    for state in found:
        claims = sum(share.gpus for share in state.shares)
        if claims > plan.gpu.devices:
            terms = " + ".join(f"{share.workload} {share.gpus}" for share in state.shares)
            report(
                f"{state.label}: GPU claims {terms} = {claims} > {plan.gpu.devices} (gpu.devices); "
                "set gpu.sharing to exclusive, or scale one of them to 0"
            )


RULES = (
    resource_rule(
        name="gpu-count",
        description="No set of pods that may run together claims more GPUs than the node has.",
        reason=(
            "The scheduler counts whole GPUs: a pod that claims one too many stays Pending for "
            "ever, and one that claims none is put beside another."
        ),
        cure="Claim as many GPUs as the node has, with one replica and strategy Recreate.",
        check=check_resource,
        settings=GpuCount,
        scope=Scope.BUDGET,
    ),
    stack_rule(
        name="gpu-count-deployed",
        description="The deployed pods that may run together claim no more GPUs than the node has.",
        reason=(
            "Pods that together claim more GPUs than the node has wait for one another for ever."
        ),
        cure=(
            "Let only one of them hold the GPU at a time (gpu.sharing: exclusive), or scale one "
            "to 0."
        ),
        check=check_stack,
        settings=GpuCount,
        scope=Scope.BUDGET,
    ),
)
