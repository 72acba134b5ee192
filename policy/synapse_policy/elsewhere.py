"""Programs without a root: judged against the machine that the pack's config names."""

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy import facts
from synapse_policy.budgets import DiskBudget, GpuBudget, GpuCount, RamBudget
from synapse_policy.engine_sum import EngineAsk, asked_by
from synapse_policy.judging import Report
from synapse_policy.objects import workload_in
from synapse_policy.reading import UnreadableError
from synapse_policy.root import is_below_root
from synapse_policy.shares import on_gpu, share_on
from synapse_policy.stack import claims_of, workloads_of
from synapse_policy.words import Addend, exceeds, shown, total_gib
from synapse_policy.workload import Workload

_CONFIG = "the pack's config"


def workload_elsewhere(args: ResourceValidationArgs) -> Workload | None:
    """Return the workload that a resource rule is shown, if no root is above it."""
    return None if is_below_root(args.urn) else workload_in(args)


def ask_elsewhere(workload: Workload) -> EngineAsk | None:
    """Return what an engine is told by its own flags and image alone."""
    if workload.engine is None:
        return None
    try:
        return asked_by(workload.engine)
    except UnreadableError as problem:
        raise UnreadableError(f"{workload.label}: {problem}") from None


def judge_gpu_share(workload: Workload, budget: GpuBudget, report: Report) -> None:
    """Judge one workload's share of one GPU."""
    if budget.gpu_model is None or not on_gpu(workload):
        return
    share = share_on(workload, ask_elsewhere(workload), budget.gpu_model)
    limit_gib = _ceiling_gib(budget, budget.gpu_model)
    if exceeds(share.gib, limit_gib):
        report(
            f"{workload.label}: {shown([share.addend], limit_gib)} of one {budget.gpu_model} "
            f"({_CONFIG}: {_terms(budget)}); lower --gpu-memory-utilization, or take a smaller "
            "model"
        )


def judge_gpu_shares(args: StackValidationArgs, budget: GpuBudget, report: Report) -> None:
    """Judge what all workloads take of all GPUs together."""
    if budget.gpu_model is None:
        return
    lines = []
    for one in workloads_of(args.resources):
        if on_gpu(one):
            share = share_on(one, ask_elsewhere(one), budget.gpu_model)
            gpus = one.pods * max(one.gpus, 1)
            lines.append(Addend(_times(share.addend.what, gpus), gpus * share.gib))
    limit_gib = budget.gpu_count * _ceiling_gib(budget, budget.gpu_model)
    if exceeds(total_gib(lines), limit_gib):
        report(
            f"all GPU pods together: {shown(lines, limit_gib)} of {budget.gpu_count} "
            f"{budget.gpu_model} ({_CONFIG}: {_terms(budget)}); lower what one of them takes, or "
            "take one off the GPU"
        )


def judge_gpu_claim(workload: Workload, budget: GpuCount, report: Report) -> None:
    """Judge the GPUs that the pods of one workload claim, those of a rollout included."""
    if budget.gpu_count is None or workload.gpus * workload.pods <= budget.gpu_count:
        return
    surge = f" ({workload.surge} of them during a rollout)" if workload.surge else ""
    report(
        f"{workload.label} has {workload.pods} pods{surge} that claim {workload.gpus} GPUs each, "
        f"{workload.gpus * workload.pods} > {budget.gpu_count} ({_CONFIG}: gpu_count), so one "
        "waits for ever; set strategy.type to Recreate, or lower replicas or the claim"
    )


def judge_gpu_claims(args: StackValidationArgs, budget: GpuCount, report: Report) -> None:
    """Judge the GPUs that all workloads claim together."""
    if budget.gpu_count is None:
        return
    claims = {one.label: one.gpus * one.pods for one in workloads_of(args.resources) if one.gpus}
    if sum(claims.values()) > budget.gpu_count:
        terms = " + ".join(f"{label} {gpus}" for label, gpus in claims.items())
        report(
            f"GPU claims {terms} = {sum(claims.values())} > {budget.gpu_count} ({_CONFIG}: "
            "gpu_count); scale one of them to 0, or take it off the GPU"
        )


def judge_ram(args: StackValidationArgs, budget: RamBudget, report: Report) -> None:
    """Judge the memory limits and requests of all pods together."""
    if budget.node_memory_gib is None:
        return
    workloads = workloads_of(args.resources)
    for bound in ("limits", "requests"):
        lines = [
            Addend(_times(one.label, one.pods), one.pods * one.memory_gib(bound))
            for one in workloads
            if one.pods
        ]
        if budget.system_memory_gib:
            lines.append(Addend("system", budget.system_memory_gib))
        if exceeds(total_gib(lines), budget.node_memory_gib):
            report(
                f"memory {bound} of all pods: {shown(lines, budget.node_memory_gib)} ({_CONFIG}: "
                "node_memory_gib); lower one, or let fewer pods run together"
            )


def judge_claims(args: StackValidationArgs, budget: DiskBudget, report: Report) -> None:
    """Judge the volume claims together."""
    if budget.storage_gib is None:
        return
    lines = [Addend(one.name, one.size_gib) for one in claims_of(args.resources)]
    if exceeds(total_gib(lines), budget.storage_gib):
        report(
            f"all volume claims: {shown(lines, budget.storage_gib)} ({_CONFIG}: storage_gib); "
            "lower a claim's size"
        )


def _ceiling_gib(budget: GpuBudget, gpu_model: str) -> float:
    seen_gib = facts.gpu(gpu_model).total_gib - budget.reserve_gib
    return seen_gib if budget.budget_gib is None else min(budget.budget_gib, seen_gib)


def _terms(budget: GpuBudget) -> str:
    limit = "all of it" if budget.budget_gib is None else f"{budget.budget_gib:.2f}"
    return f"budget_gib {limit}, reserve_gib {budget.reserve_gib:.2f}"


def _times(what: str, count: int) -> str:
    return f"{what} × {count}" if count > 1 else what
