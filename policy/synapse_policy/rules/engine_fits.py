"""The engine's share holds what it needs to start: too small is as wrong as too large."""

import math

from pulumi_policy import ResourceValidationArgs

from synapse_policy.budgets import GpuModel
from synapse_policy.elsewhere import ask_elsewhere, workload_elsewhere
from synapse_policy.engine_sum import EngineAsk, engine_sum
from synapse_policy.gpu_states import ask_of
from synapse_policy.judging import Report, Scope, resource_rule
from synapse_policy.root import is_root, plan_for, plan_in
from synapse_policy.shares import engine_ask
from synapse_policy.stack import workload_below_root
from synapse_policy.words import exceeds, shown


def check(args: ResourceValidationArgs, report: Report, budget: GpuModel) -> None:
    """Judge the plan's engine, and each engine's Deployment by its own flags."""
    if is_root(args):
        plan = plan_in(args)
        _judge("the plan's engine", ask_of(plan.engine), plan.gpu.model, report)
        return
    elsewhere = workload_elsewhere(args)
    if elsewhere is not None and budget.gpu_model is not None:
        asked = ask_elsewhere(elsewhere)
        if asked is not None:
            _judge(elsewhere.label, asked, budget.gpu_model, report)
    workload = workload_below_root(args)
    if workload is None or workload.engine is None:
        return
    plan = plan_for(args.urn)
    ask = engine_ask(workload, plan)
    if ask is None:
        return
    _judge(workload.label, ask, plan.gpu.model, report)
    if workload.gpus and ask.parallel > workload.gpus:
        report(
            f"{workload.label} splits its model over {ask.parallel} GPUs "
            f"(--tensor-parallel-size) and claims {workload.gpus}; make them equal"
        )


def _judge(subject: str, ask: EngineAsk, gpu: str, report: Report) -> None:
    found = engine_sum(ask, gpu)
    if not exceeds(found.needs_gib, found.share_gib):
        return
    least = math.ceil(found.needs_gib / found.gpu_gib * 100) / 100
    cure = (
        f"raise engine.gpu_memory_utilization to {least:.2f}, lower engine.max_model_len"
        if least <= 1
        else "lower engine.max_model_len"
    )
    report(
        f"{subject} does not start within its share {found.fraction:.2f} × {found.gpu_gib:.2f} = "
        f"{found.share_gib:.2f} GiB: {shown(found.needs, found.share_gib)}; {cure} or take a "
        "smaller format of the model"
    )


RULES = (
    resource_rule(
        name="engine-fits-its-share",
        description=(
            "The engine's weights, work space and one longest sequence fit its share of the GPU."
        ),
        reason=(
            "An engine whose share does not hold its weights and one longest sequence ends at its "
            "start, after minutes of loading."
        ),
        cure=(
            "Raise gpu_memory_utilization, lower max_model_len, or take a smaller format of the "
            "model."
        ),
        check=check,
        settings=GpuModel,
        scope=Scope.BUDGET,
    ),
)
