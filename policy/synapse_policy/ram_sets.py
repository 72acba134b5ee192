"""Sets of pods that may run together in a phase, and what they take of the node's RAM."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from synapse_policy import agreement
from synapse_policy.ollama_sum import OllamaAsk, loaded
from synapse_policy.plan_view import OllamaView, PlanView, WorkloadView
from synapse_policy.words import Addend, total_gib

OLLAMA = "ollama"
KINDS = ("planned", "limits", "requests")
NODE_FRACTION = 0.8
"""Part of the node's RAM that planned use may reach: the rest is page cache and error."""

NO_GPU_POD = "no GPU pod"


class PodSet(NamedTuple):
    """Workloads that may run together."""

    phase: int
    state: str
    workloads: tuple[WorkloadView, ...]


class RamSum(NamedTuple):
    """One sum over a set, beside its limit."""

    phase: int
    state: str
    kind: str
    addends: tuple[Addend, ...]
    limit_gib: float


def pod_sets(plan: PlanView) -> Iterator[PodSet]:
    """Yield each phase's GPU states with all that runs beside them.

    A GPU workload that is in no state is in every set: nothing says that it takes turns.
    """
    turns = {member.workload for state in plan.states for member in state.members}
    for phase in sorted({phase for workload in plan.workloads for phase in workload.phases}):
        here = [workload for workload in plan.workloads if phase in workload.phases]
        of_phase = [state for state in plan.states if phase in state.phases]
        if not of_phase:
            yield PodSet(phase, NO_GPU_POD, tuple(here))
        for state in of_phase:
            members = {member.workload for member in state.members}
            together = (one for one in here if one.name in members or one.name not in turns)
            yield PodSet(phase, state.name, tuple(together))


def ollama_ask(ollama: OllamaView) -> OllamaAsk:
    """Return Ollama as the plan tells it."""
    return OllamaAsk(
        slots=ollama.max_loaded_models,
        parallel=ollama.num_parallel,
        context=ollama.context_tokens,
        cache_type="f16",
        flash_attention=False,
    )


def ollama_gib(ollama: OllamaView) -> float:
    """Return what Ollama's loaded models take by the pack's own sum."""
    return total_gib(loaded([model.tag for model in ollama.models], ollama_ask(ollama)))


def loaded_tolerance_gib(ollama: OllamaView) -> float:
    """Return by how much two honest estimates of all loaded models may differ."""
    return agreement.ollama_tolerance_gib(ollama_gib(ollama)) * ollama.max_loaded_models


def planned_gib(plan: PlanView, workload: WorkloadView) -> float:
    """Return the RAM that a pod is reckoned to use: Ollama's by the pack's own sum."""
    return ollama_gib(plan.ollama) if workload.name == OLLAMA else workload.planned_ram_gib


def ram_sums(plan: PlanView) -> Iterator[RamSum]:
    """Yield the three sums of every set."""
    one_pod: dict[str, Callable[[WorkloadView], float]] = {
        "planned": lambda one: planned_gib(plan, one),
        "limits": lambda one: one.pod.memory_limit_gib,
        "requests": lambda one: one.pod.memory_request_gib,
    }
    for found in pod_sets(plan):
        for kind in KINDS:
            lines = [addend(one.name, one.pods, one_pod[kind](one)) for one in found.workloads]
            yield ram_sum(plan, found.phase, found.state, kind, lines)


def ram_sum(plan: PlanView, phase: int, state: str, kind: str, lines: Sequence[Addend]) -> RamSum:
    """Put a sum beside its limit; the kubelet has taken the system's part out of allocatable."""
    node = plan.node
    limits_gib = {
        "planned": min(node.budget_gib, NODE_FRACTION * node.memory_gib),
        "limits": node.memory_gib,
        "requests": min(node.allocatable_gib, node.memory_gib),
    }
    system = [] if kind == "requests" else [Addend("system", node.system_gib)]
    return RamSum(phase, state, kind, (*lines, *system), limits_gib[kind])


def addend(name: str, pods: int, pod_gib: float) -> Addend:
    """Return the line of some pods of a kind."""
    return Addend(f"{name} × {pods}" if pods > 1 else name, pods * pod_gib)
