"""Both locks agree: what each resource asks for against what the plan says of it."""

from collections.abc import Iterable

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy import agreement, ollama_sum
from synapse_policy.agreement import EXACT_GIB, Comparison
from synapse_policy.containers import Container
from synapse_policy.engine_sum import EngineAsk
from synapse_policy.facts import engine_weights
from synapse_policy.gpu_states import ask_of
from synapse_policy.judging import Report, Scope, resource_rule, stack_rule
from synapse_policy.plan_view import PlanView, WorkloadView
from synapse_policy.ram_sets import loaded_tolerance_gib, ollama_ask
from synapse_policy.root import is_below_root, plan_for
from synapse_policy.rules.ram import deployed_sums
from synapse_policy.shares import engine_ask, on_gpu, share_of
from synapse_policy.stack import Stack, stack_of, storage_gib, workload_below_root
from synapse_policy.words import shown, total_gib
from synapse_policy.workload import Workload, kind_of, metadata_name

_KINDS = {
    "deployment": "Deployment",
    "job": "Job",
    "cron-job": "CronJob",
    "daemon-set": "DaemonSet",
}


def check_resource(args: ResourceValidationArgs, report: Report) -> None:
    """Compare a workload or a claim with its entry in the plan."""
    if kind_of(args.resource_type) == "PersistentVolumeClaim" and is_below_root(args.urn):
        _claim(args, plan_for(args.urn), Comparison(report, "the claim asks for"))
        return
    workload = workload_below_root(args)
    if workload is None:
        return
    plan = plan_for(args.urn)
    comparison = Comparison(report, "the resource says")
    planned = planned_for(workload, plan.workloads)
    if planned is None:
        comparison.missing(workload.label)
        return
    _size(workload, planned, plan, comparison)
    asked = engine_ask(workload, plan)
    if asked is not None and workload.engine is not None:
        sleeps = workload.engine.command_line.has("--enable-sleep-mode")
        _engine(asked, sleeps, plan, comparison)
    if workload.ollama is not None:
        _ollama(workload, workload.ollama, plan, comparison)


def check_stack(args: StackValidationArgs, report: Report) -> None:
    """Compare the number of Jobs of a kind, which no single one of them shows."""
    stack = stack_of(args)
    if stack is None:
        return
    comparison = Comparison(report, "the resources say")
    for planned in stack.plan.workloads:
        if planned.kind == "job":
            jobs = (one for one in stack.workloads if one.kind == "Job")
            pods = sum(
                one.pods for one in jobs if planned_for(one, stack.plan.workloads) == planned
            )
            if pods > planned.pods:
                comparison.values(f"pods of Job {planned.name}", planned.pods, pods)
    _ram(stack, Comparison(report, "the resources add up to"))


def _ram(stack: Stack, comparison: Comparison) -> None:
    """Compare every sum of the phase: a workload that is left out or not planned shows here."""
    plan = stack.plan
    said = {(one.phase, one.state, one.kind): one.sum_gib for one in plan.ram}
    for own in deployed_sums(stack):
        planned_gib = said.get((own.phase, own.state, own.kind))
        if planned_gib is not None:  # that it is there is judged with the plan
            less = EXACT_GIB + (loaded_tolerance_gib(plan.ollama) if own.kind == "planned" else 0)
            lines = shown(own.addends, own.limit_gib)
            what = f"RAM {own.kind} in phase {own.phase}, {own.state} ({lines})"
            comparison.figures(what, planned_gib, total_gib(own.addends), less)


def planned_for(workload: Workload, planned: Iterable[WorkloadView]) -> WorkloadView | None:
    """Return a workload's entry in the plan; a plan counts several Jobs `name-…` as one `name`."""
    for entry in planned:
        if _KINDS.get(entry.kind) != workload.kind:
            continue
        several = workload.kind == "Job" and workload.name.startswith(f"{entry.name}-")
        if workload.name == entry.name or several:
            return entry
    return None


def _size(
    workload: Workload, planned: WorkloadView, plan: PlanView, comparison: Comparison
) -> None:
    comparison.figures(
        f"{workload.label} limits.memory",
        planned.pod.memory_limit_gib,
        workload.memory_gib("limits"),
        EXACT_GIB,
    )
    comparison.figures(
        f"{workload.label} requests.memory",
        planned.pod.memory_request_gib,
        workload.memory_gib("requests"),
        EXACT_GIB,
    )
    comparison.values(f"{workload.label} GPU claim", planned.gpus, workload.gpus)
    comparison.values(f"{workload.label} surge", planned.surge, workload.surge)
    if not workload.gpus and workload.kind != "Job":
        comparison.values(f"{workload.label} replicas", planned.replicas, workload.replicas)
    if plan.phase not in planned.phases:
        comparison.values(f"{workload.label} phases", planned.phases, f"phase {plan.phase}")
    if on_gpu(workload) or planned.vram_gib:
        share = share_of(workload, plan)
        sglang = share.engine and plan.engine.kind == "sglang"
        outside_gib = agreement.OUTSIDE_SGLANG_GIB if sglang else agreement.OUTSIDE_GIB
        tolerance_gib = outside_gib + EXACT_GIB if share.engine else EXACT_GIB
        what = f"{workload.label} VRAM"
        comparison.figures(what, planned.vram_gib, share.gib, tolerance_gib)


def _engine(asked: EngineAsk, sleeps: bool, plan: PlanView, comparison: Comparison) -> None:
    said = ask_of(plan.engine)
    pairs = {
        "kind": (said.kind, asked.kind),
        "model": (engine_weights(said.repository), engine_weights(asked.repository)),
        "gpu_memory_utilization": (said.fraction, asked.fraction),
        "max_model_len": (said.max_model_len, asked.max_model_len),
        "max_num_seqs": (said.max_num_seqs, asked.max_num_seqs),
        "max_num_batched_tokens": (said.max_num_batched_tokens, asked.max_num_batched_tokens),
        "kv_cache_dtype": (said.small_kv, asked.small_kv),
        "enforce_eager": (said.eager, asked.eager),
        "sleep_mode": (plan.engine.sleep_mode, sleeps),
    }
    for name, (of_plan, of_resource) in pairs.items():
        if name == "model" and of_plan != of_resource:
            comparison.values("engine.model", said.repository, asked.repository)
        elif name != "model":
            comparison.values(f"engine.{name}", of_plan, of_resource)


def _ollama(
    workload: Workload, container: Container, plan: PlanView, comparison: Comparison
) -> None:
    said, asked = ollama_ask(plan.ollama), ollama_sum.asked_by(container)
    comparison.values("ollama.max_loaded_models", said.slots, asked.slots)
    comparison.values("ollama.num_parallel", said.parallel, asked.parallel)
    comparison.values("ollama.context_tokens", said.context, asked.context)
    tags = sorted(model.tag for model in plan.ollama.models)
    comparison.values("ollama.models", tags, sorted(workload.ollama_tags))


def _claim(args: ResourceValidationArgs, plan: PlanView, comparison: Comparison) -> None:
    name = metadata_name(args.props, args.name)
    planned = next((volume for volume in plan.volumes if volume.claim == name), None)
    if planned is None:
        comparison.missing(f"claim {name!r}")
        return
    size_gib = storage_gib(name, args.props)
    comparison.figures(f"claim {name!r} storage", planned.size_gib, size_gib, EXACT_GIB)


RULES = (
    resource_rule(
        name="resources-agree",
        description="Each workload and claim asks for what the plan says of it.",
        reason="A resource that asks for other than the plan makes the plan's proof worthless.",
        cure="Change the config, so that plan and resource come from the same source.",
        check=check_resource,
        scope=Scope.ROOT,
    ),
    stack_rule(
        name="resources-agree-deployed",
        description="All resources together add up to the plan's RAM, and no Job is one too many.",
        reason="A pod that the plan does not count takes RAM that the proof gave to others.",
        cure="Change the config, so that plan and resources come from the same source.",
        check=check_stack,
        scope=Scope.ROOT,
    ),
)
