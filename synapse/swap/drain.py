"""Takes a pod out of its Service and waits until it has no request left. It can be undone."""

import time

from lightkube.models.core_v1 import ObjectReference
from lightkube.resources.core_v1 import Pod
from lightkube.resources.discovery_v1 import EndpointSlice

from synapse.names import DRAINING, SERVING, SERVING_LABEL
from synapse.swap.pods import port_of, serves
from synapse.swap.requests import busy
from synapse.swap.stage import Stage
from synapse.swap.workloads import is_leaving, pod_name


def drain(stage: Stage, name: str) -> None:
    """Wait until the workload's pods get no request any more and have none left.

    A pod that has not started has none. Where no metrics are to be read, the pod's own end, with
    its preStop hook, is what waits.

    Raises:
        SwapError: it is still busy at the end of the time, or the swap cannot go on.
        ClusterError: the API server refuses.
    """
    limits = stage.patience.limits
    pods = [pod for pod in stage.ask(lambda: stage.workloads.pods(name)) if not is_leaving(pod)]
    for pod in pods:
        _set_serving(stage, pod, DRAINING)
    marked = [pod_name(pod) for pod in pods if _is_marked(pod)]
    stage.until(
        f"{', '.join(marked)} out of the Service {name}",
        f"see `kubectl get endpointslices -l kubernetes.io/service-name={name}`",
        limits.drain_seconds,
        lambda: None if _served(stage, name) & set(marked) else True,
    )
    gauges = stage.gauges.get(name)
    if stage.metrics is None or gauges is None:
        simulated = stage.cluster.simulated
        stage.recorder.say("simulated: no request" if simulated else "its own end waits for them")
        return
    idle = _IdleSince()
    stage.until(
        f"{name} idle",
        "it goes on; run the command again when there is less load, or raise --drain-for",
        limits.drain_seconds,
        lambda: True if idle.seconds(_busy(stage, name, gauges)) >= limits.settle_seconds else None,
    )


def serve_again(stage: Stage, name: str) -> None:
    """Give the pods that stay back to their Service.

    Raises:
        SwapError: the swap cannot go on.
        ClusterError: the API server refuses.
    """
    for pod in stage.ask(lambda: stage.workloads.pods(name)):
        if not is_leaving(pod):
            _set_serving(stage, pod, SERVING)


class _IdleSince:
    def __init__(self) -> None:
        self._since: float | None = None

    def seconds(self, said: str) -> float:
        """How long nothing was said, or -1."""
        if said:
            self._since = None
            return -1
        if self._since is None:
            self._since = time.monotonic()
        return time.monotonic() - self._since


def _busy(stage: Stage, name: str, gauges: tuple[str, ...]) -> str:
    if stage.metrics is None:
        return ""
    for pod in stage.workloads.pods(name):
        said = busy(stage.metrics, pod_name(pod), port_of(pod), gauges) if serves(pod) else ""
        if said:
            stage.recorder.say(said)
            return said
    stage.recorder.say("idle")
    return ""


def _is_marked(pod: Pod) -> bool:
    """Whether its Service minds the label: a pod made without it is served until its end."""
    return SERVING_LABEL in ((pod.metadata.labels if pod.metadata else None) or {})


def _set_serving(stage: Stage, pod: Pod, value: str) -> None:
    labels = (pod.metadata.labels if pod.metadata else None) or {}
    if _is_marked(pod) and labels[SERVING_LABEL] != value:
        stage.ask(lambda: stage.workloads.label_pod(pod_name(pod), SERVING_LABEL, value))


def _served(stage: Stage, service: str) -> set[str]:
    """Names of the pods that the Service passes requests to."""
    slices = stage.cluster.call(
        f"list the endpoints of {service}",
        lambda client: list(
            client.list(
                EndpointSlice,
                namespace=stage.change.namespace,
                labels={"kubernetes.io/service-name": service},
            )
        ),
    )
    return {
        (endpoint.targetRef or ObjectReference()).name or ""
        for one in slices
        for endpoint in one.endpoints or []
    }
