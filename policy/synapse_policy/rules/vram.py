"""The GPU's memory, in every state and on every way between two of them."""

import math
from collections.abc import Iterable, Mapping

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.budgets import GpuBudget
from synapse_policy.elsewhere import judge_gpu_share, judge_gpu_shares, workload_elsewhere
from synapse_policy.gpu_states import Share, State, ceiling_gib, planned_shares, states, ways
from synapse_policy.judging import Report, Scope, resource_rule, stack_rule
from synapse_policy.plan_view import PlanView
from synapse_policy.root import is_root, plan_in
from synapse_policy.shares import shares_of
from synapse_policy.stack import stack_of
from synapse_policy.words import exceeds, shown, total_gib


def check_resource(args: ResourceValidationArgs, report: Report, budget: GpuBudget) -> None:
    """Add up every state and transition so far with the pack's own shares."""
    if is_root(args):
        plan = plan_in(args)
        reached = [one for one in _all(plan, planned_shares(plan)) if plan.reaches(one.phases)]
        _judge(plan, reached, report)
        return
    workload = workload_elsewhere(args)
    if workload is not None:
        judge_gpu_share(workload, budget, report)


def check_stack(args: StackValidationArgs, report: Report, budget: GpuBudget) -> None:
    """Add up the states of the deployed phase with what the resources really ask for."""
    stack = stack_of(args)
    if stack is None:
        judge_gpu_shares(args, budget, report)
        return
    plan = stack.plan
    actual = shares_of(stack.workloads, plan)
    shares = planned_shares(plan) | actual
    here = [state for state in _all(plan, shares) if plan.phase in state.phases]
    _judge(plan, here, report)
    placed = {name for state in here for name in state.names}
    for name in sorted(actual.keys() - placed):
        report(
            f"{name} takes {actual[name].gib:.2f} GiB of VRAM and is in no GPU state of phase "
            f"{plan.phase}; put it into the plan, or take it off the GPU",
            stack.urn,
        )


def _all(plan: PlanView, shares: Mapping[str, Share]) -> list[State]:
    at_rest = states(plan, shares)
    # A way that takes no more than the state at its end is judged with that state.
    higher = (
        way.peak
        for way in ways(at_rest)
        if total_gib(way.peak.addends) > total_gib(way.target.addends)
    )
    return [*at_rest, *higher]


def _judge(plan: PlanView, found: Iterable[State], report: Report) -> None:
    limit_gib = ceiling_gib(plan)
    for state in found:
        if exceeds(total_gib(state.addends), limit_gib):
            report(
                f"{state.label}, {_phases(state)}: {shown(state.addends, limit_gib)} "
                f"(gpu.budget_gib {plan.gpu.budget_gib:.2f}, and {plan.gpu.model} shows an engine "
                f"its total less gpu.reserve_gib {plan.gpu.reserve_gib:.2f}); "
                f"{_cure(plan, state, limit_gib)}"
            )


def _phases(state: State) -> str:
    numbers = ", ".join(str(phase) for phase in state.phases)
    return f"phase{'s' if len(state.phases) > 1 else ''} {numbers}"


def _cure(plan: PlanView, state: State, limit_gib: float) -> str:
    cures = []
    for share in state.shares:
        if share.engine is not None:
            over_gib = total_gib(state.addends) - limit_gib
            fits = (share.engine.share_gib - over_gib) / share.engine.gpu_gib
            if fits >= 0.01:
                hundredths = math.floor(fits * 100)
                cures.append(f"lower engine.gpu_memory_utilization to {hundredths / 100:.2f}")
    if len(state.shares) > 1 and plan.gpu.sharing != "exclusive":
        cures.append("set gpu.sharing to exclusive")
    return " or ".join(cures) or "lower what its members take"


RULES = (
    resource_rule(
        name="vram-in-every-state",
        description=(
            "Every GPU state and transition fits the VRAM budget, before anything is created."
        ),
        reason=(
            "Past the budget an engine dies with CUDA out of memory, at its start or in the "
            "middle of a swap, and takes what shares the GPU with it."
        ),
        cure=(
            "Lower gpu_memory_utilization or max_model_len, take a smaller model or format, or "
            "let only one of them hold the GPU at a time (gpu.sharing: exclusive)."
        ),
        check=check_resource,
        settings=GpuBudget,
        scope=Scope.BUDGET,
    ),
    stack_rule(
        name="vram-in-every-state-deployed",
        description="What the GPU workloads really ask for fits the VRAM budget in every state.",
        reason=(
            "What is deployed counts, not what was planned: past the budget an engine dies with "
            "CUDA out of memory."
        ),
        cure="Lower what a workload takes of the GPU, scale one to 0, or put it into the plan.",
        check=check_stack,
        settings=GpuBudget,
        scope=Scope.BUDGET,
    ),
)
