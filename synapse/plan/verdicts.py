"""Every comparison of a sum with its limit, with the sum in words and the cure."""

import math
from collections.abc import Iterator, Sequence

from synapse.names import OLLAMA, STT, TTS
from synapse.plan import phases
from synapse.plan.engine import rounded_down, rounded_up
from synapse.plan.model import (
    GpuBudget,
    GpuMember,
    GpuState,
    NodePlan,
    RamSum,
    Transition,
    Verdict,
    Volume,
    Workload,
)
from synapse.plan.ollama import loaded_ram_gib
from synapse.plan.part import Line
from synapse.plan.ram import cpu_request, sets_of_pods
from synapse.plan.served import EnginePlan, OllamaPlan
from synapse.plan.states import DEVICES_WHEN_SHARED
from synapse.settings.settings import Settings

# Sums of decimals are compared with a grain of slack, far below what any engine can allot.
_GRAIN_GIB = 1e-6


def within(sum_gib: float, limit_gib: float) -> bool:
    """Whether a sum is at or below its limit."""
    return sum_gib <= limit_gib + _GRAIN_GIB


def added(lines: Sequence[Line]) -> str:
    """The addends and their sum: `a 1.0 + b 2.0 = 3.0`."""
    total_gib = sum(line.gib for line in lines)
    return " + ".join(f"{line.what} {line.gib:.1f}" for line in lines) + f" = {total_gib:.1f}"


def _compared(total_gib: float, limit_gib: float) -> str:
    return f"{'≤' if within(total_gib, limit_gib) else '>'} {limit_gib:.1f} GiB"


def gpu_verdicts(
    states: Sequence[GpuState],
    transitions: Sequence[Transition],
    gpu: GpuBudget,
    engine: EnginePlan,
) -> Iterator[Verdict]:
    """VRAM and GPU claims of every state, VRAM of every transition."""
    for state in states:
        yield _state_vram(state, gpu, engine)
        claims = sum(member.gpus for member in state.members)
        yield Verdict(
            rule="gpu-count",
            scope=f"state {state.name!r}",
            phases=state.phases,
            fits=claims <= gpu.devices,
            sum=" + ".join(f"{m.workload} {m.gpus}" for m in state.members)
            + f" = {claims} {'≤' if claims <= gpu.devices else '>'} {gpu.devices} GPU(s)",
            cure="" if claims <= gpu.devices else _count_cure(state, claims, gpu),
        )
    for way in transitions:
        fits = within(way.peak_gib, gpu.ceiling_gib)
        staying = " + ".join(member.formula for member in way.stays) or "nothing"
        yield Verdict(
            rule="vram-in-every-transition",
            scope=f"{way.source!r} → {way.target!r}",
            phases=way.phases,
            fits=fits,
            sum=f"{', '.join(way.leaves) or 'nothing'} gone, {staying} stays, then "
            f"{', '.join(way.enters) or 'nothing'} enters: peak {way.peak_gib:.1f} "
            f"{_compared(way.peak_gib, gpu.ceiling_gib)}",
            cure="" if fits else "make both states fit; their own lines say how",
        )


def _state_vram(state: GpuState, gpu: GpuBudget, engine: EnginePlan) -> Verdict:
    fits = within(state.sum_gib, gpu.ceiling_gib)
    total = f" = {state.sum_gib:.1f}" if len(state.members) > 1 else ""
    return Verdict(
        rule="vram-in-every-state",
        scope=f"state {state.name!r}",
        phases=state.phases,
        fits=fits,
        sum=" + ".join(member.formula for member in state.members)
        + f"{total} {_compared(state.sum_gib, gpu.ceiling_gib)}",
        cure="" if fits else _vram_cure(state.members, gpu, engine),
    )


def _count_cure(state: GpuState, claims: int, gpu: GpuBudget) -> str:
    """Each change that is enough by itself; failing that, all of them together."""
    old = sum(member.gpus for member in state.members if "/" in member.workload)
    stt = sum(member.gpus for member in state.members if member.workload == STT)
    if gpu.sharing == "concurrent":
        stt = 0  # shared, the device plugin offers its claim as well
    known = (
        (old, "scale the old service down at an earlier phase (legacy.scaled_down_at)"),
        (stt, "set speech.stt.device to cpu"),
    )
    cures = [cure for fewer, cure in known if fewer and claims - fewer <= gpu.devices]
    # From the speech phase on, concurrent adds a member to the state.
    early = max(state.phases) < phases.SPEECH and claims <= gpu.count * DEVICES_WHEN_SHARED
    if early or (stt and not old):
        cures.append("set gpu.sharing to concurrent")
    return " or ".join(cures) or " and ".join(cure for fewer, cure in known if fewer)


def _vram_cure(members: Sequence[GpuMember], gpu: GpuBudget, engine: EnginePlan) -> str:
    """Each change that is enough by itself; failing that, what has to shrink."""

    def gib_of(*names: str) -> float:
        return sum(member.vram_gib for member in members if member.workload in names)

    all_gib = sum(member.vram_gib for member in members)
    old = [member.workload for member in members if "/" in member.workload]
    engine_gib, speech_gib, stt_gib = gib_of(engine.service), gib_of(TTS), gib_of(STT)
    awake = math.isclose(engine_gib, engine.share_gib + engine.outside_gib)
    cures = []
    if awake:
        free_gib = gpu.ceiling_gib - (all_gib - engine_gib) - engine.outside_gib
        utilization = rounded_down(free_gib / gpu.total_gib)
        if within(engine.needs_gib, utilization * gpu.total_gib):
            cures.append(f"lower engine.gpu_memory_utilization to {utilization:.2f}")
    in_turns_gib = all_gib - min(engine_gib, speech_gib)
    # Taking turns leaves no room for a transcriber, which takes none.
    if engine_gib and speech_gib and not stt_gib and within(in_turns_gib, gpu.ceiling_gib):
        cures.append("set gpu.sharing to exclusive")
    if stt_gib and within(all_gib - stt_gib, gpu.ceiling_gib):
        cures.append("set speech.stt.device to cpu")
    if old and within(all_gib - gib_of(*old), gpu.ceiling_gib):
        cures.append("scale the old service down earlier (legacy.scaled_down_at)")
    if cures:
        return " or ".join(cures)
    keys = [
        *(["engine.model, engine.weights"] if awake else []),
        *(["engine.sleep_mode.residue_gib"] if engine_gib and not awake else []),
        *(["speech.tts.vram_gib"] if speech_gib else []),
        *(["speech.stt.model"] if stt_gib else []),
        *(["legacy.vram_gib"] if old else []),
    ]
    return f"bring them down to {gpu.ceiling_gib:.1f} GiB together: {', '.join(keys)}"


def engine_verdicts(
    engine: EnginePlan, gpu: GpuBudget, states: Sequence[GpuState]
) -> Iterator[Verdict]:
    """Whether the engine runs on this GPU at all, and starts within its share."""
    applies = phases.from_phase(phases.ENGINE)
    yield Verdict(
        rule="engine-runs-on-gpu",
        scope=engine.service,
        phases=applies,
        fits=not engine.unsupported,
        sum=engine.unsupported or f"{engine.kind} {engine.version} runs on {gpu.model}",
        cure="choose an engine.image with a newer engine" if engine.unsupported else "",
    )
    fits = within(engine.needs_gib, engine.share_gib)
    yield Verdict(
        rule="engine-fits-its-share",
        scope=engine.service,
        phases=applies,
        fits=fits,
        sum=f"{added(engine.needs)} {_compared(engine.needs_gib, engine.share_gib)} "
        f"({engine.gpu_memory_utilization:.2f} × {gpu.total_gib:.2f})",
        cure="" if fits else _share_cure(engine, gpu, states),
    )
    too_long = engine.max_model_len > engine.longest_model_len
    yield Verdict(
        rule="engine-knows-its-context",
        scope=engine.service,
        phases=applies,
        fits=not too_long,
        sum=f"max_model_len {engine.max_model_len} {'>' if too_long else '≤'} "
        f"{engine.longest_model_len} tokens of {engine.model}",
        cure=f"lower engine.max_model_len to {engine.longest_model_len}" if too_long else "",
    )


def _share_cure(engine: EnginePlan, gpu: GpuBudget, states: Sequence[GpuState]) -> str:
    """More of the GPU if every state has it to give; a smaller need in any case."""
    beside_gib = max(
        (
            sum(m.vram_gib for m in state.members if m.workload != engine.service)
            for state in states
            if any(m.workload == engine.service for m in state.members)
        ),
        default=0.0,
    )
    least = rounded_up(engine.needs_gib / gpu.total_gib)
    taken_gib = least * gpu.total_gib + engine.outside_gib + beside_gib
    raised = f"raise engine.gpu_memory_utilization to {least:.2f}, "
    return (
        raised if least <= 1 and within(taken_gib, gpu.ceiling_gib) else ""
    ) + "lower engine.max_model_len or engine.max_num_seqs, or choose smaller engine.weights"


def ollama_verdicts(ollama: OllamaPlan, workloads: Sequence[Workload]) -> Iterator[Verdict]:
    """Whether the loaded models fit the limit, and whether all routed models find a slot."""
    applies = phases.from_phase(phases.OLLAMA)
    ranked = sorted(ollama.models, key=lambda model: model.ram_gib, reverse=True)
    loaded = [Line(what=m.tag, gib=m.ram_gib) for m in ranked[: ollama.max_loaded_models]]
    used_gib = loaded_ram_gib(ollama)
    fits = within(used_gib, ollama.memory_limit_gib)
    yield Verdict(
        rule="ollama-fits-its-limit",
        scope="ollama",
        phases=applies,
        fits=fits,
        sum=f"{added(loaded)} {_compared(used_gib, ollama.memory_limit_gib)}",
        cure=""
        if fits
        else "raise ollama.memory_gib, or lower ollama.max_loaded_models, "
        "ollama.num_parallel or ollama.context_tokens",
    )
    request_gib = next(one.pod.memory_request_gib for one in workloads if one.name == OLLAMA)
    fits = within(request_gib, ollama.memory_limit_gib)
    yield Verdict(
        rule="ollama-request-within-limit",
        scope="ollama",
        phases=applies,
        fits=fits,
        sum=f"request {request_gib:.1f} {_compared(request_gib, ollama.memory_limit_gib)}",
        cure="" if fits else "lower ollama.memory_request_gib, or leave it to the plan",
    )
    spare = ollama.max_loaded_models - len(ollama.models)
    kept = [m.tag for m in ollama.models if m.embeddings or m.tag == ollama.default_model]
    yield Verdict(
        rule="ollama-slots",
        scope="ollama",
        phases=applies,
        severity="warn",
        fits=spare >= 0,
        sum=f"{len(ollama.models)} routed models ({', '.join(m.tag for m in ollama.models)}) "
        + (
            f"in {ollama.max_loaded_models} slots: all stay loaded"
            if spare >= 0
            else f"for {ollama.max_loaded_models} slots evict each other; "
            f"{' and '.join(kept)} will not stay loaded"
        ),
        cure=""
        if spare >= 0
        else f"raise ollama.max_loaded_models to {len(ollama.models)} or pull fewer models",
    )


def ram_verdicts(sums: Sequence[RamSum]) -> Iterator[Verdict]:
    """Planned use, limits and requests of each phase and state."""
    for one in sums:
        fits = within(one.sum_gib, one.limit_gib)
        yield Verdict(
            rule=f"ram-{one.kind}",
            scope=f"phase {one.phase}, state {one.state!r}",
            phases=(one.phase,),
            fits=fits,
            sum=f"{added(one.lines)} {_compared(one.sum_gib, one.limit_gib)}",
            cure="" if fits else _ram_cure(one),
        )


def _ram_cure(one: RamSum) -> str:
    if one.kind == "planned":
        return "load fewer or smaller models in Ollama, or lower memory requests"
    if one.kind == "requests":
        return "lower a memory request"
    ollama_gib = sum(line.gib for line in one.lines if line.what == OLLAMA)
    left_gib = math.floor(10 * (ollama_gib - (one.sum_gib - one.limit_gib))) / 10
    to = f" to {left_gib:.1f}" if left_gib > 0 else ""
    return f"lower ollama.memory_gib{to} or another memory limit"


def cpu_verdicts(
    node: NodePlan, workloads: Sequence[Workload], states: Sequence[GpuState]
) -> Iterator[Verdict]:
    """CPU requests of each phase and state against the node's cores."""
    for phase in phases.NUMBERS:
        for state, together in sets_of_pods(phase, workloads, states):
            cores = cpu_request(together)
            fits = within(cores, node.cpus)
            yield Verdict(
                rule="cpu-requests",
                scope=f"phase {phase}, state {state!r}",
                phases=(phase,),
                fits=fits,
                sum=f"{cores:.2f} {'≤' if fits else '>'} {node.cpus:g} cores requested",
                cure="" if fits else "lower a cpu_request; ollama's is the largest",
            )


def disk_verdicts(volumes: Sequence[Volume], settings: Settings) -> Iterator[Verdict]:
    """Files within each volume, and all claims within the node's storage."""
    for volume in volumes:
        if not volume.lines:
            continue
        fits = within(volume.sum_gib, volume.usable_gib)
        yield Verdict(
            rule="disk-volume",
            scope=f"volume {volume.claim!r}",
            phases=phases.NUMBERS,
            fits=fits,
            sum=f"{added(volume.lines)} {_compared(volume.sum_gib, volume.usable_gib)} "
            f"(80 % of {volume.size_gib:g})",
            cure="" if fits else "raise the volume's size or pull fewer models",
        )
    claims = [Line(what=volume.claim, gib=volume.size_gib) for volume in volumes]
    total_gib = sum(line.gib for line in claims)
    fits = within(total_gib, settings.node.storage_gib)
    yield Verdict(
        rule="disk-node",
        scope="all volumes",
        phases=phases.NUMBERS,
        fits=fits,
        sum=f"{added(claims)} {_compared(total_gib, settings.node.storage_gib)}",
        cure="" if fits else "lower a volume's size, or set node.storage_gib to what there is",
    )
