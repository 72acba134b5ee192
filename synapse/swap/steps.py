"""The way there: drain, down, gone, up, memory, ready. Each step may be done again."""

from functools import partial

from lightkube.resources.core_v1 import Pod

from synapse.swap.drain import drain, serve_again
from synapse.swap.pods import memory_progress, start_progress
from synapse.swap.stage import Stage
from synapse.swap.timeline import Step
from synapse.swap.workloads import is_leaving, pod_name


def go_there(stage: Stage) -> None:
    """Bring the change about, from wherever the Deployments are.

    Raises:
        SwapError: it cannot be had, or the swap was asked to stop.
        ClusterError: the API server refuses.
    """
    leaves, enters = stage.change.leaves, stage.change.enters
    for name in leaves:
        with stage.recorder.step(Step.DRAIN, name):
            stage.mark(Step.DRAIN)
            drain(stage, name)
    with stage.recorder.step(Step.SCALE_DOWN, _list(leaves)):
        stage.mark(Step.SCALE_DOWN)
        scale(stage, leaves)
    with stage.recorder.step(Step.GONE, _list(leaves)):
        stage.mark(Step.GONE)
        wait_gone(stage, leaves)
    with stage.recorder.step(Step.SCALE_UP, _list(enters)):
        stage.mark(Step.SCALE_UP)
        scale(stage, enters)
        for name in enters:
            serve_again(stage, name)
    with stage.recorder.step(Step.MEMORY, _list(enters)):
        stage.mark(Step.MEMORY)
        wait_memory(stage, enters)
    with stage.recorder.step(Step.READY, _list(enters)):
        stage.mark(Step.READY)
        wait_ready(stage, enters)


def scale(stage: Stage, names: tuple[str, ...]) -> None:
    """Set the replicas that the change wants.

    Raises:
        SwapError: somebody else changed a Deployment, or the swap cannot go on.
        ClusterError: the API server refuses.
    """
    for name in names:
        stage.ask(partial(stage.workloads.scale, name, stage.wanted[name], stage.lease.prove))


def wait_gone(stage: Stage, names: tuple[str, ...]) -> None:
    """Wait until no pod of these is left: only then their device and memory may be free.

    Raises:
        SwapError: one is still there at the end of the time, or the swap cannot go on.
        ClusterError: the API server refuses.
    """

    def gone() -> bool | None:
        left = [pod_name(pod) for name in names for pod in stage.workloads.pods(name)]
        stage.recorder.say(f"still there: {', '.join(left)}" if left else "")
        return None if left else True

    stage.until(
        f"pods of {_list(names)} gone",
        "see what holds them with `kubectl describe pod`",
        stage.patience.limits.gone_seconds,
        gone,
    )


def wait_memory(stage: Stage, names: tuple[str, ...]) -> None:
    """Wait until the init containers of these have measured that their memory is free.

    Raises:
        SwapError: one of them gave up, the time is up, or the swap cannot go on.
        ClusterError: the API server refuses.
    """

    def free() -> bool | None:
        seen = [memory_progress(pod) for name in names for pod in _entering(stage, name)]
        let_in = bool(seen) and all(one.reached for one in seen)
        said = ", ".join(one.said for one in seen) or "no pod yet"
        simulated = let_in and stage.cluster.simulated
        stage.recorder.say("simulated: nothing was measured" if simulated else said)
        return True if let_in else None

    stage.until(
        f"memory for {_list(names)} free",
        "see what holds the GPU with `nvidia-smi` on the node",
        stage.patience.limits.memory_seconds,
        free,
    )


def wait_ready(stage: Stage, names: tuple[str, ...]) -> None:
    """Wait until these are ready, for as long as their Deployments give them.

    Raises:
        SwapError: one cannot come up, the time is up, or the swap cannot go on.
        ClusterError: the API server refuses.
    """
    seconds = max(
        (stage.ask(partial(stage.workloads.look, name)).start_seconds for name in names),
        default=0.0,
    )

    def ready() -> bool | None:
        said = []
        for name in names:
            pods = _entering(stage, name)
            said += [one.said for one in map(start_progress, pods)] or ["no pod yet"]
        stage.recorder.say(", ".join(filter(None, said)))
        enough = [stage.workloads.look(name).ready >= stage.wanted[name] for name in names]
        return True if all(enough) else None

    stage.until(f"{_list(names)} ready", "see its log with `kubectl logs`", seconds, ready)


def _entering(stage: Stage, name: str) -> list[Pod]:
    return [pod for pod in stage.workloads.pods(name) if not is_leaving(pod)]


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)
