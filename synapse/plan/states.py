"""GPU states: which workloads are on the GPU together, and how one state becomes another."""

from collections.abc import Iterator, Sequence

from synapse.names import STT, TTS
from synapse.plan import phases
from synapse.plan.model import GpuBudget, GpuMember, GpuState, Transition, Workload, WorkloadKind
from synapse.plan.served import EnginePlan
from synapse.settings.machine import Sharing
from synapse.settings.settings import Settings

DEVICES_WHEN_SHARED = 2
"""Time-slicing has to offer the device twice for the engine and speech to run together, and once
more for speech to text where that is on the GPU."""

_Members = tuple[GpuMember, ...]
_Named = tuple[str, _Members]


def others_beside_engine_gib(settings: Settings, speech_gib: float) -> float:
    """VRAM that others hold, at the worst, in a state in which the engine runs.

    `speech_gib` is that of the speech workloads that run beside the engine.
    """
    beside_gib = {
        phase: sum(
            old.vram_gib
            for old in settings.legacy
            if not old.retired_on and phase < old.scaled_down_at
        )
        for phase in phases.from_phase(phases.ENGINE)
    }
    for phase in phases.from_phase(phases.SPEECH):
        beside_gib[phase] += speech_gib
    return max(beside_gib.values())


def plan_states(
    settings: Settings, gpu: GpuBudget, engine: EnginePlan, workloads: Sequence[Workload]
) -> tuple[GpuState, ...]:
    """Every set of workloads that may hold the GPU together, with the phases it occurs in."""
    found: dict[_Named, list[int]] = {}
    for phase in phases.NUMBERS:
        for named in _states_of(phase, settings, gpu, engine, workloads):
            found.setdefault(named, []).append(phase)
    return tuple(
        GpuState(name=name, phases=tuple(numbers), members=members)
        for (name, members), numbers in found.items()
    )


def _states_of(
    phase: int,
    settings: Settings,
    gpu: GpuBudget,
    engine: EnginePlan,
    workloads: Sequence[Workload],
) -> Iterator[_Named]:
    on_gpu = [one for one in workloads if phase in one.phases and (one.gpus or one.vram_gib)]
    old = tuple(_own(one) for one in on_gpu if one.kind is WorkloadKind.LEGACY)
    chat = tuple(_engine(one, gpu, engine) for one in on_gpu if one.name == engine.service)
    speech = tuple(_own(one) for one in on_gpu if one.name == TTS)
    # Speech to text takes no turns: where it is on the GPU, it is there in every state.
    stt = tuple(_own(one) for one in on_gpu if one.name == STT)
    beside = stt + old
    together = settings.gpu.sharing is Sharing.CONCURRENT
    if not chat:
        if old:
            yield _named("legacy", old)
    elif not speech:
        yield _named("chat", chat + beside)
    elif together:
        yield _named("chat+speech", chat + speech + beside)
        if settings.engine.sleep_mode:
            residue_gib = settings.engine.sleep_mode.residue_gib
            asleep = (_asleep(chat[0], residue_gib),)
            yield _named("speech, engine asleep", asleep + speech + beside)
    else:
        yield _named("chat", chat + beside)
        yield _named("speech", speech + beside)


def _named(name: str, members: _Members) -> _Named:
    """Others beside make it another state, so that a name stands for one sum."""
    stt = ["stt" for member in members if member.workload == STT]
    old = [member.workload.split("/")[1] for member in members if "/" in member.workload]
    return ("+".join([name, *stt, *old]) if name != "legacy" else name), members


def _own(workload: Workload) -> GpuMember:
    return GpuMember(
        workload=workload.name,
        vram_gib=workload.vram_gib,
        gpus=workload.gpus,
        formula=f"{workload.name} {workload.vram_gib:.1f}",
    )


def _engine(workload: Workload, gpu: GpuBudget, engine: EnginePlan) -> GpuMember:
    share = f"{engine.gpu_memory_utilization:.2f} × {gpu.total_gib:.2f}"
    outside = f" + {engine.outside_gib:.1f} outside" if engine.outside_gib else ""
    return GpuMember(
        workload=workload.name,
        vram_gib=workload.vram_gib,
        gpus=workload.gpus,
        formula=f"{engine.kind} {share}{outside} = {workload.vram_gib:.1f}",
    )


def _asleep(engine: GpuMember, residue_gib: float) -> GpuMember:
    return GpuMember(
        workload=engine.workload,
        vram_gib=residue_gib,
        gpus=engine.gpus,
        formula=f"{engine.workload} asleep {residue_gib:.1f}",
    )


def plan_transitions(states: Sequence[GpuState]) -> tuple[Transition, ...]:
    """The ways between the states of one phase, and from a phase's states to the next one's."""
    found: dict[tuple[GpuState, GpuState], list[int]] = {}
    for phase in phases.NUMBERS:
        here = [state for state in states if phase in state.phases]
        after = [state for state in states if phase + 1 in state.phases]
        for source, target, at in (
            *((a, b, phase) for a in here for b in here),
            *((a, b, phase + 1) for a in here for b in after if a not in after),
            *((b, a, phase + 1) for a in here for b in after if b not in here),
        ):
            if source != target:
                found.setdefault((source, target), []).append(at)
    return tuple(
        _transition(source, target, tuple(sorted(set(at))))
        for (source, target), at in found.items()
    )


def _transition(source: GpuState, target: GpuState, at: tuple[int, ...]) -> Transition:
    """What leaves is gone and measured so before anything enters: the peak is at either end."""
    staying = {member.workload for member in source.members} & {
        member.workload for member in target.members
    }
    return Transition(
        source=source.name,
        target=target.name,
        phases=at,
        leaves=tuple(m.workload for m in source.members if m.workload not in staying),
        enters=tuple(m.workload for m in target.members if m.workload not in staying),
        stays=tuple(m for m in _larger(source, target) if m.workload in staying),
        peak_gib=max(_while_entering_gib(source, target), source.sum_gib),
    )


def _larger(source: GpuState, target: GpuState) -> Iterator[GpuMember]:
    """Members with the larger of their two shares: a waking engine grows before speech is gone."""
    shares: dict[str, GpuMember] = {}
    for member in (*source.members, *target.members):
        known = shares.get(member.workload)
        if known is None or member.vram_gib > known.vram_gib:
            shares[member.workload] = member
    yield from shares.values()


def _while_entering_gib(source: GpuState, target: GpuState) -> float:
    """What is on the GPU once the entering ones have started beside those that stay."""
    remaining = {member.workload for member in target.members}
    return sum(
        member.vram_gib for member in _larger(source, target) if member.workload in remaining
    )
