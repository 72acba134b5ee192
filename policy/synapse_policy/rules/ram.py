"""The node's RAM: limits within the node, requests within allocatable, planned use within 80 %."""

from collections.abc import Callable, Iterable, Iterator

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy import ollama_sum
from synapse_policy.budgets import RamBudget
from synapse_policy.elsewhere import judge_ram
from synapse_policy.judging import Report, Scope, resource_rule, stack_rule
from synapse_policy.ram_sets import (
    KINDS,
    NODE_FRACTION,
    RamSum,
    addend,
    pod_sets,
    ram_sum,
    ram_sums,
)
from synapse_policy.reading import UnreadableError
from synapse_policy.root import is_root, plan_in
from synapse_policy.shares import on_gpu
from synapse_policy.stack import Stack, stack_of
from synapse_policy.words import exceeds, shown, total_gib
from synapse_policy.workload import Workload

_WITHOUT_RESOURCES = ("legacy", "aggregate")
_BOUNDS = {
    "planned": f"planned use of RAM within {NODE_FRACTION:.0%} of the node",
    "limits": "memory limits within the node's RAM",
    "requests": "memory requests within the node's allocatable RAM",
}
_CURES = {
    "planned": "lower ollama.max_loaded_models, ollama.num_parallel or ollama.context_tokens",
    "limits": "lower a memory limit (ollama.memory_gib is the largest as a rule)",
    "requests": "lower a memory request",
}


def check_plan(args: ResourceValidationArgs, report: Report) -> None:
    """Add up every set of pods of every phase up to the stack's."""
    if not is_root(args):
        return
    plan = plan_in(args)
    for workload in plan.workloads:
        sizes_gib = (
            workload.pod.memory_limit_gib,
            workload.pod.memory_request_gib,
            workload.planned_ram_gib,
            workload.pods,
        )
        if not all(size >= 0 for size in sizes_gib):
            raise UnreadableError(f"{workload.name} has a size below 0; write 0 or more")
    _judge((one for one in ram_sums(plan) if plan.reaches([one.phase])), report)


def check_stack(args: StackValidationArgs, report: Report, budget: RamBudget) -> None:
    """Add up the deployed pods that may run together, surge, Jobs and CronJobs included."""
    stack = stack_of(args)
    if stack is None:
        judge_ram(args, budget, report)
    else:
        _judge(deployed_sums(stack), report)


def _judge(sums: Iterable[RamSum], report: Report) -> None:
    for found in sums:
        if exceeds(total_gib(found.addends), found.limit_gib):
            report(
                f"phase {found.phase}, {found.state}, {_BOUNDS[found.kind]}: "
                f"{shown(found.addends, found.limit_gib)}; {_CURES[found.kind]}"
            )


def deployed_sums(stack: Stack) -> Iterator[RamSum]:
    """Yield the three sums of every set of deployed pods of the phase."""
    plan = stack.plan
    planned = {workload.name: workload for workload in plan.workloads}
    turns = {member.workload for state in plan.states for member in state.members}
    one_pod: dict[str, Callable[[Workload], float]] = {
        "planned": _planned_gib,
        "limits": lambda one: one.memory_gib("limits"),
        "requests": lambda one: one.memory_gib("requests"),
    }
    for found in pod_sets(plan):
        if found.phase != plan.phase:
            continue
        members = {workload.name for workload in found.workloads}
        together = [
            one
            for one in stack.workloads
            if not (one.name in turns and on_gpu(one)) or one.name in members
        ]
        unseen = [planned[name] for name in sorted(members)]
        for kind in KINDS:
            lines = [addend(one.label, one.pods, one_pod[kind](one)) for one in together]
            for workload in unseen:
                if workload.kind in _WITHOUT_RESOURCES:
                    sizes_gib = {
                        "planned": workload.planned_ram_gib,
                        "limits": workload.pod.memory_limit_gib,
                        "requests": workload.pod.memory_request_gib,
                    }
                    lines.append(addend(workload.name, workload.pods, sizes_gib[kind]))
            yield ram_sum(plan, found.phase, found.state, kind, lines)


def _planned_gib(workload: Workload) -> float:
    """What a pod is reckoned to use: Ollama's models, else what it requests."""
    if workload.ollama is None or not workload.ollama_tags:
        return workload.memory_gib("requests")
    ask = ollama_sum.asked_by(workload.ollama)
    return total_gib(ollama_sum.loaded(workload.ollama_tags, ask))


RULES = (
    resource_rule(
        name="ram-sum",
        description="All pods that may run together fit the node's RAM, in all phases so far.",
        reason=(
            "A node that runs out of RAM lets the kernel kill pods, and rarely the one that is to "
            "blame."
        ),
        cure="Lower a memory limit, or what Ollama keeps loaded.",
        check=check_plan,
        scope=Scope.ROOT,
    ),
    stack_rule(
        name="ram-sum-deployed",
        description="All deployed pods that may run together fit the node's RAM.",
        reason=(
            "Old pods beside new ones, Jobs and CronJobs count too: a node that runs out of RAM "
            "lets the kernel kill pods."
        ),
        cure="Lower a memory limit, or let fewer pods run together (strategy, Jobs, replicas).",
        check=check_stack,
        settings=RamBudget,
        scope=Scope.BUDGET,
    ),
)
