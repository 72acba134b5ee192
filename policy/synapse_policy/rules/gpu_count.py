"""GPUs as the scheduler counts them: a claim is a whole device, however little it uses."""

from collections.abc import Iterable

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.gpu_states import State, planned_shares, states
from synapse_policy.judging import Report, resource_rule, stack_rule
from synapse_policy.plan_view import PlanView
from synapse_policy.root import is_root, plan_for, plan_in
from synapse_policy.shares import on_gpu, shares_of
from synapse_policy.stack import stack_of, workload_below_root


def check_resource(args: ResourceValidationArgs, report: Report) -> None:
    """Judge the plan's states, and each GPU workload by itself."""
    if is_root(args):
        plan = plan_in(args)
        reached = (one for one in states(plan, planned_shares(plan)) if plan.reaches(one.phases))
        _judge(plan, reached, report)
        return
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
    if not workload.recreates:
        report(
            f"{workload.label} is on the GPU and its rollout starts the new pod beside the old "
            "one, so it waits for ever for the GPU; set strategy.type to Recreate"
        )


def check_stack(args: StackValidationArgs, report: Report) -> None:
    """Add up the claims of the deployed pods that may run together."""
    stack = stack_of(args)
    if stack is None:
        return
    plan = stack.plan
    shares = planned_shares(plan)
    for name, share in shares_of(stack.workloads, plan).items():
        pods = next(one.pods for one in stack.workloads if one.name == name)
        shares[name] = share._replace(gpus=share.gpus * pods)
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
        "gpu-count",
        "No set of pods that may run together claims more GPUs than the node has.",
        check_resource,
    ),
    stack_rule(
        "gpu-count-deployed",
        "The deployed pods that may run together claim no more GPUs than the node has.",
        check_stack,
    ),
)
