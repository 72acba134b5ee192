"""The pack's own list of what may be on the GPU together, with its own shares.

A GPU workload counts whether it is scaled to 0 or not: the `replicas` that Pulumi remembers say
nothing about what a swap does later.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from synapse_policy import facts
from synapse_policy.engine_sum import CONTEXT_GIB, EngineAsk, EngineSum, engine_sum
from synapse_policy.plan_view import EngineView, PlanView, StateView
from synapse_policy.reading import UnreadableError
from synapse_policy.words import Addend

_LEGACY = "legacy"
_TOGETHER = "concurrent"


class Share(NamedTuple):
    """What a workload takes of the GPU."""

    workload: str
    gib: float
    gpus: int
    words: str = ""
    engine: EngineSum | None = None

    @property
    def addend(self) -> Addend:
        """Its line in a sum."""
        return Addend(f"{self.workload} {self.words}".strip(), self.gib)


class State(NamedTuple):
    """Shares that are taken together, at rest or on the way from one state to another."""

    label: str
    phases: tuple[int, ...]
    shares: tuple[Share, ...]
    name: str = ""

    @property
    def addends(self) -> tuple[Addend, ...]:
        """The lines of its sum."""
        return tuple(share.addend for share in self.shares)

    @property
    def names(self) -> frozenset[str]:
        """Its members."""
        return frozenset(share.workload for share in self.shares)


def ask_of(engine: EngineView) -> EngineAsk:
    """Return the engine as the plan tells it."""
    return EngineAsk(
        kind=engine.kind,
        repository=engine.repository,
        version=engine.version,
        fraction=engine.gpu_memory_utilization,
        max_model_len=engine.max_model_len,
        max_num_seqs=engine.max_num_seqs,
        max_num_batched_tokens=engine.max_num_batched_tokens,
        small_kv=engine.kv_cache_dtype.startswith("fp8"),
        eager=engine.enforce_eager,
    )


def engine_share(workload: str, gpus: int, engine: EngineSum) -> Share:
    """Return an engine's share: all that it reserves, and what lies beside."""
    return Share(workload, engine.taken_gib, gpus, engine.words, engine)


def ceiling_gib(plan: PlanView) -> float:
    """Return the most that a state may take; the GPU's nominal size never enters."""
    total_gib = facts.gpu(plan.gpu.model).total_gib
    if math.isnan(plan.gpu.budget_gib) or not plan.gpu.reserve_gib >= 0:
        raise UnreadableError(
            f"gpu.budget_gib {plan.gpu.budget_gib} or gpu.reserve_gib {plan.gpu.reserve_gib} "
            "bounds nothing; write GiB, 0 or more"
        )
    return min(plan.gpu.budget_gib, total_gib - plan.gpu.reserve_gib)


def planned_shares(plan: PlanView) -> dict[str, Share]:
    """Return the share of every GPU workload in the plan; the engine's by the pack's own sum."""
    shares = {}
    for workload in plan.workloads:
        if workload.name == plan.engine.service:
            own = engine_sum(ask_of(plan.engine), plan.gpu.model)
            shares[workload.name] = engine_share(workload.name, workload.gpus, own)
        elif workload.on_gpu:
            _not_negative(workload.name, workload.vram_gib)
            shares[workload.name] = Share(workload.name, workload.vram_gib, workload.gpus)
    return shares


def states(plan: PlanView, shares: Mapping[str, Share]) -> list[State]:
    """Return the plan's states with these shares, and the states that the pack derives itself."""
    found = stated(plan, shares)
    known = {(state.names, phase) for state in found for phase in state.phases}
    for state in derived(plan, shares):
        if any((state.names, phase) not in known for phase in state.phases):
            found.append(state)
    return found


def stated(plan: PlanView, shares: Mapping[str, Share]) -> list[State]:
    """Return the plan's own states with these shares."""
    return [
        State(f'state "{one.name}"', one.phases, tuple(_members(one, plan, shares)), one.name)
        for one in plan.states
    ]


def _members(state: StateView, plan: PlanView, shares: Mapping[str, Share]) -> Iterator[Share]:
    for member in state.members:
        _not_negative(member.workload, member.vram_gib)
        own = shares.get(member.workload)
        if own is None:
            yield Share(member.workload, member.vram_gib, member.gpus)
        elif own.engine and plan.engine.sleep_mode and member.vram_gib < own.engine.share_gib:
            # Its weights and cache are gone, and its process with the driver's context is not.
            residue_gib = max(member.vram_gib, CONTEXT_GIB)
            yield Share(member.workload, residue_gib, member.gpus, "asleep")
        elif own.engine:
            yield own._replace(gpus=max(own.gpus, member.gpus))
        else:
            gib = max(own.gib, member.vram_gib)
            yield own._replace(gib=gib, gpus=max(own.gpus, member.gpus))


def derived(plan: PlanView, shares: Mapping[str, Share]) -> list[State]:
    """Return what may run together by the workloads' phases and `gpu.sharing` alone.

    Old services are not ours to swap: they run beside every state of their phases.
    """
    found = []
    for phase in sorted({phase for workload in plan.workloads for phase in workload.phases}):
        here = [one for one in plan.workloads if phase in one.phases and one.name in shares]
        old = tuple(shares[one.name] for one in here if one.kind == _LEGACY)
        ours = [shares[one.name] for one in here if one.kind != _LEGACY]
        if plan.gpu.sharing == _TOGETHER:
            sets = [(*ours, *old)]
        else:
            sets = [(one, *old) for one in ours] or [old]
        for members in filter(None, sets):
            name = f"{' and '.join(one.workload for one in members)} together"
            found.append(State(name, (phase,), members, name))
    return found


class Way(NamedTuple):
    """From one state to another, with what is taken on the way."""

    source: State
    target: State
    peak: State


def ways(at_rest: Sequence[State]) -> list[Way]:
    """Return every way between two states of a phase or of neighbouring phases, with its peak.

    What leaves is gone before anything enters; what stays may already have the larger of its sizes.
    """
    found = []
    for source in at_rest:
        for target in at_rest:
            near = tuple(
                phase
                for phase in target.phases
                if {phase - 1, phase, phase + 1} & set(source.phases)
            )
            if source is target or not near:
                continue
            before = {share.workload: share for share in source.shares}
            entered = tuple(
                max(share, before.get(share.workload, share), key=lambda one: one.gib)
                for share in target.shares
            )
            label = f'transition "{source.name}" to "{target.name}"'
            found.append(Way(source, target, State(label, near, entered)))
    return found


def _not_negative(workload: str, gib: float) -> None:
    if not gib >= 0:
        raise UnreadableError(f"{workload} takes {gib} GiB of VRAM; write 0 or more")
