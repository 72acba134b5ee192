"""RAM, CPU and quota of each phase: sums over the pods that may run together."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from synapse.plan import phases
from synapse.plan.model import GpuState, NodePlan, Quota, RamSum, Workload
from synapse.plan.part import Line

_NO_STATE = "no GPU pod"
Kind = Literal["planned", "limits", "requests"]


def plan_ram(
    node: NodePlan, workloads: Sequence[Workload], states: Sequence[GpuState]
) -> tuple[RamSum, ...]:
    """Three sums for every phase and every GPU state of it."""
    return tuple(
        _ram_sum(phase, state, kind, together, node)
        for phase in phases.NUMBERS
        for state, together in sets_of_pods(phase, workloads, states)
        for kind in ("planned", "limits", "requests")
    )


def sets_of_pods(
    phase: int, workloads: Sequence[Workload], states: Sequence[GpuState]
) -> Iterator[tuple[str, list[Workload]]]:
    """Each GPU state of a phase with all workloads that run in it."""
    here = [one for one in workloads if phase in one.phases]
    on_gpu = {member.workload for state in states for member in state.members}
    of_phase = [state for state in states if phase in state.phases]
    if not of_phase:
        yield _NO_STATE, here
    for state in of_phase:
        members = {member.workload for member in state.members}
        yield state.name, [one for one in here if one.name in members or one.name not in on_gpu]


def _ram_sum(
    phase: int, state: str, kind: Kind, together: Sequence[Workload], node: NodePlan
) -> RamSum:
    def gib(one: Workload) -> float:
        per_pod = {
            "planned": one.planned_ram_gib,
            "limits": one.pod.memory_limit_gib,
            "requests": one.pod.memory_request_gib,
        }
        return per_pod[kind] * one.pods

    lines = [Line(what=_label(one), gib=gib(one)) for one in together]
    if kind != "requests":  # the kubelet has taken the system's part out of allocatable
        lines.append(Line(what="system", gib=node.system_gib))
    limits = {
        "planned": node.budget_gib,
        "limits": node.memory_gib,
        "requests": node.allocatable_gib,
    }
    return RamSum(phase=phase, state=state, kind=kind, lines=tuple(lines), limit_gib=limits[kind])


def _label(one: Workload) -> str:
    return f"{one.name} × {one.pods}" if one.pods > 1 else one.name


def cpu_request(together: Sequence[Workload]) -> float:
    """Cores that these workloads request together."""
    return sum(one.pod.cpu_request * one.pods for one in together)


def plan_quota(
    phase: int,
    namespace: str,
    devices: int,
    workloads: Sequence[Workload],
    states: Sequence[GpuState],
) -> Quota:
    """The most that pods of the namespace may ask for: its costliest set of pods."""
    own = [
        [one for one in together if one.namespace == namespace]
        for there in phases.rolled_back_to(phase)
        for _, together in sets_of_pods(there, workloads, states)
    ]

    def most(size: Callable[[Workload], float]) -> float:
        return max(sum(size(one) * one.pods for one in together) for together in own)

    return Quota(
        cpu_request=most(lambda one: one.pod.cpu_request),
        memory_request_gib=most(lambda one: one.pod.memory_request_gib),
        memory_limit_gib=most(lambda one: one.pod.memory_limit_gib),
        ephemeral_storage_gib=most(lambda one: one.pod.ephemeral_storage_gib),
        gpus=devices if phase >= phases.ENGINE else 0,
        pods=int(most(lambda _: 1)),
    )
