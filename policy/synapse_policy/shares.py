"""What the actual workloads take of the GPU, by their flags and annotations."""

from collections.abc import Sequence

from synapse_policy.engine_sum import EngineAsk, asked_by, engine_sum
from synapse_policy.gpu_states import Share, engine_share
from synapse_policy.plan_view import PlanView
from synapse_policy.reading import UnreadableError
from synapse_policy.workload import VRAM_ANNOTATION, Workload

_DEVICES = "NVIDIA_VISIBLE_DEVICES"
_NO_DEVICES = ("void", "none", "")
_WATCHERS = ("dcgm-exporter", "k8s-device-plugin", "gpu-feature-discovery", "node-exporter")
"""Images that look at a GPU and compute nothing on it."""


def on_gpu(workload: Workload) -> bool:
    """Whether it takes of the GPU: by its claim, what it runs, what it says, or what it sees."""
    return bool(
        workload.gpus
        or workload.engine
        or workload.annotation(VRAM_ANNOTATION) is not None
        or _sees_a_gpu(workload)
    )


def _sees_a_gpu(workload: Workload) -> bool:
    """Whether a container asks the container runtime for a GPU past the scheduler's count."""
    return any(
        one.setting(_DEVICES, "").strip() not in _NO_DEVICES
        for one in workload.containers
        if _DEVICES in one.environment and one.program not in _WATCHERS
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
    """Return the share of one pod on the plan's GPU; raises as below."""
    return share_on(workload, engine_ask(workload, plan), plan.gpu.model)


def share_on(workload: Workload, ask: EngineAsk | None, gpu_model: str) -> Share:
    """Return the share of one pod on a GPU of the catalogue.

    Raises:
        UnreadableError: neither flags nor annotation tell it.
    """
    said = workload.annotation(VRAM_ANNOTATION)
    said_gib = None if said is None else _gib(workload, said)
    if ask is not None:
        share = engine_share(workload.name, workload.gpus, engine_sum(ask, gpu_model))
        return share._replace(gib=max(share.gib, said_gib or 0.0))
    if said_gib is None:
        raise UnreadableError(
            f"{workload.label} claims {workload.gpus} GPU and nothing tells how much VRAM it takes"
            f'; set the pod annotation {VRAM_ANNOTATION}: "12"'
        )
    return Share(workload.name, said_gib, workload.gpus)


def shares_of(workloads: Sequence[Workload], plan: PlanView) -> dict[str, Share]:
    """Return the shares of all that are on the GPU: of all pods that may exist at once.

    A second workload of one name, in another namespace or of another kind, is none of the plan's.
    """
    found: dict[str, Share] = {}
    for one in workloads:
        if on_gpu(one):
            key = one.name if one.name not in found else one.label
            found[key] = _of_all_pods(share_of(one, plan), one.pods)._replace(workload=key)
    return found


def _of_all_pods(share: Share, pods: int) -> Share:
    if pods <= 1:
        return share
    words = f"{share.words} {share.gib:.2f}" if share.words else f"{share.gib:.2f}"
    return share._replace(
        gib=pods * share.gib, gpus=pods * share.gpus, words=f"{words} × {pods} pods =", engine=None
    )


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
