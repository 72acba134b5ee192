"""What a pod says of its start: waiting for a device, for memory, for its model; or failing."""

from dataclasses import dataclass

from lightkube.models.core_v1 import ContainerStatus, PodSpec, PodStatus
from lightkube.resources.core_v1 import Pod

from synapse.swap.errors import SwapError
from synapse.swap.workloads import pod_name

_RESTARTS = 3
"""A container that ended so often does not come up by itself."""


@dataclass(frozen=True)
class Progress:
    """How far a pod has come."""

    reached: bool
    said: str


def memory_progress(pod: Pod) -> Progress:
    """Whether the pod's init containers, which wait for free VRAM, have let it pass.

    Nothing outside the pod can measure the GPU's memory while no GPU pod runs, so the pod that
    enters measures for itself, and the swap watches it.

    Raises:
        SwapError: one of them gave up; the error has its message.
    """
    status, spec = pod.status or PodStatus(), pod.spec
    unplaced = _unplaced(status)
    if unplaced:
        return Progress(False, unplaced)
    gates = len((spec.initContainers if spec else None) or [])
    states = status.initContainerStatuses or []
    for one in states:
        _refuse_failed(pod, one)
    passed = [one for one in states if _passed(one)]
    if len(passed) < gates:
        return Progress(False, "its init container waits for free memory")
    if not states and not _has_started(spec, status):
        return Progress(False, "the node has not taken it up")
    said = "measured free by its init container" if gates else "not measured: no init container"
    return Progress(True, said)


def start_progress(pod: Pod) -> Progress:
    """Whether the pod is ready.

    Raises:
        SwapError: it cannot come up.
    """
    status = pod.status or PodStatus()
    for one in status.containerStatuses or []:
        if (one.restartCount or 0) >= _RESTARTS:
            words = _last_words(one) or "exit code 0"
            raise SwapError(
                f"{pod_name(pod)} ended {one.restartCount} times: {words}",
                f"see `kubectl logs {pod_name(pod)} --previous`",
            )
    ready = any(one.type == "Ready" and one.status == "True" for one in status.conditions or [])
    waiting = [_waits(one) for one in status.containerStatuses or []]
    said = ", ".join(filter(None, waiting)) or _unplaced(status) or "it loads its model"
    return Progress(ready, "" if ready else said)


def serves(pod: Pod) -> bool:
    """Whether a container of the pod has started, so that there may be requests in it."""
    states = (pod.status or PodStatus()).containerStatuses or []
    return any(one.started and one.state and one.state.running for one in states)


def port_of(pod: Pod) -> int | None:
    """The first port of the pod."""
    for container in (pod.spec or PodSpec([])).containers:
        for port in container.ports or []:
            return port.containerPort
    return None


def _refuse_failed(pod: Pod, one: ContainerStatus) -> None:
    words = _last_words(one)
    if words and not _passed(one):
        raise SwapError(
            f"{pod_name(pod)} was not let in by its init container {one.name}: {words}",
            "see what holds the GPU with `nvidia-smi` on the node",
        )


def _last_words(one: ContainerStatus) -> str:
    """With what it ended the last time that it failed; empty if it never did."""
    for state in (one.state, one.lastState):
        ended = state.terminated if state else None
        if ended and ended.exitCode != 0:
            return " ".join((ended.message or f"exit code {ended.exitCode}").split())
    return ""


def _passed(one: ContainerStatus) -> bool:
    ended = one.state.terminated if one.state else None
    return ended is not None and ended.exitCode == 0


def _has_started(spec: PodSpec | None, status: PodStatus) -> bool:
    return spec is not None and bool(status.containerStatuses)


def _unplaced(status: PodStatus) -> str:
    for one in status.conditions or []:
        if one.type == "PodScheduled" and one.status == "False":
            return f"not placed: {one.message or one.reason}"
    return "" if status.conditions else "not placed yet"


def _waits(one: ContainerStatus) -> str:
    waiting = one.state.waiting if one.state else None
    return (waiting.reason or "") if waiting else ""
