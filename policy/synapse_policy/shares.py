"""What the actual workloads take of the GPU, by their flags and annotations."""

from collections.abc import Sequence

from synapse_policy.engine_sum import EngineAsk, asked_by, engine_sum
from synapse_policy.gpu_states import Share, engine_share
from synapse_policy.plan_view import PlanView
from synapse_policy.reading import UnreadableError
from synapse_policy.workload import VRAM_ANNOTATION, Workload


def on_gpu(workload: Workload) -> bool:
    """Whether it takes of the GPU: by its claim, by what it runs, or by what it says."""
    return bool(
        workload.gpus or workload.engine or workload.annotation(VRAM_ANNOTATION) is not None
    )


def engine_ask(workload: Workload, plan: PlanView) -> EngineAsk | None:
    """Return what an engine is told; of the plan's own engine the config knows the version."""
    if workload.engine is None:
        return None
    version = plan.engine.version if workload.name == plan.engine.service else None
    try:
        return asked_by(workload.engine, version)
    except UnreadableError as problem:
        raise UnreadableError(f"{workload.label}: {problem}") from None


def share_of(workload: Workload, plan: PlanView) -> Share:
    """Return the share of one pod.

    Raises:
        UnreadableError: neither flags nor annotation tell it.
    """
    said = workload.annotation(VRAM_ANNOTATION)
    said_gib = None if said is None else _gib(workload, said)
    ask = engine_ask(workload, plan)
    if ask is not None:
        share = engine_share(workload.name, workload.gpus, engine_sum(ask, plan.gpu.model))
        return share._replace(gib=max(share.gib, said_gib or 0.0))
    if said_gib is None:
        raise UnreadableError(
            f"{workload.label} claims {workload.gpus} GPU and nothing tells how much VRAM it takes"
            f'; set the pod annotation {VRAM_ANNOTATION}: "12"'
        )
    return Share(workload.name, said_gib, workload.gpus)


def shares_of(workloads: Sequence[Workload], plan: PlanView) -> dict[str, Share]:
    """Return the shares of all that are on the GPU."""
    return {one.name: share_of(one, plan) for one in workloads if on_gpu(one)}


def _gib(workload: Workload, said: str) -> float:
    try:
        gib = float(said)
    except ValueError:
        gib = -1.0
    if not 0 <= gib < float("inf"):
        raise UnreadableError(
            f'{workload.label} has {VRAM_ANNOTATION}: {said!r}; write GiB as a number, such as "12"'
        )
    return gib
