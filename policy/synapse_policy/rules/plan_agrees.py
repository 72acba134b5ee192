"""Both locks agree: the plan's derived figures against the pack's own sums."""

from pulumi_policy import ResourceValidationArgs

from synapse_policy import agreement, facts
from synapse_policy.agreement import EXACT_GIB, Comparison
from synapse_policy.engine_sum import CACHE, WEIGHTS, engine_sum
from synapse_policy.files import FULL_FRACTION, planned_files
from synapse_policy.gpu_states import (
    State,
    ask_of,
    ceiling_gib,
    derived,
    planned_shares,
    stated,
    ways,
)
from synapse_policy.judging import Report, Scope, resource_rule
from synapse_policy.ollama_sum import model_gib
from synapse_policy.plan_view import PlanView
from synapse_policy.ram_sets import OLLAMA, loaded_tolerance_gib, ollama_ask, ollama_gib, ram_sums
from synapse_policy.root import is_root, plan_in
from synapse_policy.words import total_gib


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Compare every derived figure of the plan."""
    if is_root(args):
        plan = plan_in(args)
        comparison = Comparison(report, "the pack finds")
        _gpu(plan, comparison)
        _engine(plan, comparison)
        _states(plan, comparison)
        _transitions(plan, comparison)
        _ollama(plan, comparison)
        _ram(plan, comparison)
        _volumes(plan, comparison)


def _gpu(plan: PlanView, comparison: Comparison) -> None:
    total_gib_in_catalogue = facts.gpu(plan.gpu.model).total_gib
    comparison.figures("gpu.total_gib", plan.gpu.total_gib, total_gib_in_catalogue, EXACT_GIB)
    if plan.gpu.sharing == "exclusive":  # shared, the device plugin offers a GPU more than once
        comparison.values("gpu.devices", plan.gpu.devices, plan.gpu.count)
    comparison.figures("gpu.ceiling_gib", plan.gpu.ceiling_gib, ceiling_gib(plan), EXACT_GIB)


def _engine(plan: PlanView, comparison: Comparison) -> None:
    own = engine_sum(ask_of(plan.engine), plan.gpu.model)
    comparison.figures("engine.share_gib", plan.engine.share_gib, own.share_gib, EXACT_GIB)
    comparison.figures(
        "engine.needs_gib",
        plan.engine.needs_gib,
        own.needs_gib,
        agreement.ENGINE_LESS_GIB,
        agreement.ENGINE_MORE_GIB,
    )
    for line, fraction in ((WEIGHTS, 0.0), (CACHE, agreement.CACHE_FRACTION)):
        of_plan = sum(one.gib for one in plan.engine.needs if one.what.startswith(line))
        of_pack = sum(one.gib for one in own.needs if one.what.startswith(line))
        tolerance_gib = EXACT_GIB + fraction * of_pack
        comparison.figures(f"engine.needs, {line}", of_plan, of_pack, tolerance_gib)
    comparison.figures(
        "engine.outside_gib", plan.engine.outside_gib, own.outside_gib, _outside_gib(plan)
    )
    taken_gib = plan.engine.share_gib + plan.engine.outside_gib
    for workload in plan.workloads:
        if workload.name == plan.engine.service:
            what = f"workload {workload.name} vram_gib"
            comparison.figures(what, workload.vram_gib, taken_gib, EXACT_GIB)


def _outside_gib(plan: PlanView) -> float:
    sglang = plan.engine.kind == "sglang"
    return agreement.OUTSIDE_SGLANG_GIB if sglang else agreement.OUTSIDE_GIB


def _sum_tolerance_gib(plan: PlanView, state: State) -> float:
    """A sum with an engine in it differs by what its outside may."""
    engines = any(share.engine for share in state.shares)
    return _outside_gib(plan) + EXACT_GIB if engines else EXACT_GIB


def _states(plan: PlanView, comparison: Comparison) -> None:
    shares = planned_shares(plan)
    own = stated(plan, shares)
    for state, said in zip(own, plan.states, strict=True):
        tolerance_gib = _sum_tolerance_gib(plan, state)
        own_gib = total_gib(state.addends)
        comparison.figures(f"{state.label} sum_gib", said.sum_gib, own_gib, tolerance_gib)
        members_gib = sum(member.vram_gib for member in said.members)
        comparison.figures(f"{state.label} sum of members", said.sum_gib, members_gib, EXACT_GIB)
        for member in said.members:
            if member.workload in shares:
                what = f"{state.label} {member.workload} gpus"
                comparison.values(what, member.gpus, shares[member.workload].gpus)
    known = {(state.names, phase) for state in own for phase in state.phases}
    for state in derived(plan, shares):
        if (state.names, state.phases[0]) not in known:
            comparison.missing(f"GPU state of {state.label} in phase {state.phases[0]}")


def _transitions(plan: PlanView, comparison: Comparison) -> None:
    shares = planned_shares(plan)
    said = {(one.source, one.target): one.peak_gib for one in plan.transitions}
    rests_gib = {one.name: one.sum_gib for one in plan.states}
    for way in ways(stated(plan, shares)):
        peak_gib = said.get((way.source.name, way.target.name))
        if peak_gib is None:
            if set(way.source.phases) & set(way.target.phases):
                comparison.missing(way.peak.label)
            continue
        # A plan may count the source at rest as a part of the way.
        own_gib = max(total_gib(way.peak.addends), rests_gib[way.source.name])
        tolerance_gib = _sum_tolerance_gib(plan, way.peak)
        comparison.figures(f"{way.peak.label} peak_gib", peak_gib, own_gib, tolerance_gib)


def _ollama(plan: PlanView, comparison: Comparison) -> None:
    ask = ollama_ask(plan.ollama)
    for model in plan.ollama.models:
        file_gib = facts.ollama_weights(model.tag).format.weights_gib
        comparison.figures(f"{model.tag} file_gib", model.file_gib, file_gib, EXACT_GIB)
        own_gib = model_gib(model.tag, ask)
        tolerance_gib = agreement.ollama_tolerance_gib(own_gib)
        comparison.figures(f"{model.tag} ram_gib", model.ram_gib, own_gib, tolerance_gib)
    for workload in plan.workloads:
        if workload.name == OLLAMA:
            comparison.figures(
                f"workload {OLLAMA} planned_ram_gib",
                workload.planned_ram_gib,
                ollama_gib(plan.ollama),
                loaded_tolerance_gib(plan.ollama),
            )
            comparison.figures(
                f"workload {OLLAMA} memory_limit_gib",
                workload.pod.memory_limit_gib,
                plan.ollama.memory_limit_gib,
                EXACT_GIB,
            )


def _ram(plan: PlanView, comparison: Comparison) -> None:
    said = {(one.phase, one.state, one.kind): one for one in plan.ram}
    ollama_tolerance_gib = loaded_tolerance_gib(plan.ollama)
    for own in ram_sums(plan):
        what = f"RAM {own.kind} in phase {own.phase}, {own.state}"
        found = said.get((own.phase, own.state, own.kind))
        if found is None:
            comparison.missing(what)
            continue
        tolerance_gib = EXACT_GIB + (ollama_tolerance_gib if own.kind == "planned" else 0)
        comparison.figures(what, found.sum_gib, total_gib(own.addends), tolerance_gib)
        # A stricter limit is the operator's own affair.
        comparison.figures(
            f"limit of {what}", found.limit_gib, own.limit_gib, own.limit_gib, EXACT_GIB
        )


def _volumes(plan: PlanView, comparison: Comparison) -> None:
    on_volumes = {line.what for volume in plan.volumes for line in volume.lines}
    for model in plan.ollama.models:
        if model.tag not in on_volumes:
            comparison.missing(f"{model.tag} on a volume")
    for volume in plan.volumes:
        files = planned_files(volume, plan)
        what = f"files on {volume.claim}"
        comparison.figures(what, volume.sum_gib, total_gib(files), EXACT_GIB)
        most_gib = FULL_FRACTION * volume.size_gib
        comparison.figures(
            f"usable_gib of {volume.claim}", volume.usable_gib, most_gib, most_gib, EXACT_GIB
        )


RULES = (
    resource_rule(
        name="plan-agrees",
        description="The plan's figures and the pack's own sums agree.",
        reason="The two locks use formulas of their own; where they differ, one of them is wrong.",
        cure=(
            "Change the config and not the resource; where the config is right, report the formula."
        ),
        check=check,
        scope=Scope.ROOT,
    ),
)
