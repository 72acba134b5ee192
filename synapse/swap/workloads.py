"""The GPU Deployments as the swap sees and writes them: replicas are its own, the rest is not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from lightkube import Client
from lightkube.models.apps_v1 import DeploymentStatus
from lightkube.models.core_v1 import PodStatus
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Pod
from lightkube.types import PatchType

from synapse.cluster.access import Cluster
from synapse.cluster.errors import ConflictError
from synapse.swap.errors import ChangedError, SwapError

_DEFAULT_PROGRESS_SECONDS = 600
_FENCE_LABEL = "synapse/swap-fence"


@dataclass(frozen=True)
class Known:
    """A Deployment as it is expected to be found."""

    uid: str
    frame: dict[str, object]
    """The spec without its replicas."""
    replicas: frozenset[int]
    """One number; two while a write is on its way."""


@dataclass(frozen=True)
class Seen:
    """A Deployment at one moment."""

    uid: str
    version: str
    frame: dict[str, object]
    replicas: int
    ready: int
    selector: dict[str, str]
    start_seconds: float
    """How long its pods may take to become ready."""


class Workloads:
    """The Deployments of one swap, and whether anybody else changes them."""

    def __init__(self, cluster: Cluster, namespace: str, names: tuple[str, ...]) -> None:
        self._cluster, self._namespace, self.names = cluster, namespace, names
        self._known: dict[str, Known] = {}

    def learn(self) -> dict[str, int]:
        """Take what is there as the truth, and return the replicas; one that is gone is left out.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        seen = {name: found for name in self.names if (found := self._read(name))}
        self._known = {
            name: Known(one.uid, one.frame, frozenset((one.replicas,)))
            for name, one in seen.items()
        }
        return {name: one.replicas for name, one in seen.items()}

    def require_all(self) -> None:
        """Raise if one was not there when it was learnt.

        Raises:
            SwapError: a Deployment is not deployed.
        """
        missing = [name for name in self.names if name not in self._known]
        if missing:
            raise SwapError(
                f"there is no Deployment {', '.join(missing)} in {self._namespace}",
                "bring it with `pulumi up`",
            )

    def check(self) -> None:
        """Raise if one is not as this swap left it.

        Raises:
            ChangedError: somebody else changed it.
            ClusterError: the API server does not answer, or refuses.
        """
        for name in self._known:
            self.look(name)

    def look(self, name: str) -> Seen:
        """Read one, and make sure that it is as this swap left it.

        Raises:
            ChangedError: somebody else changed it.
            ClusterError: the API server does not answer, or refuses.
        """
        known, seen = self._known[name], self._read(name)
        if seen is None or seen.uid != known.uid:
            raise _changed(name, "it was deleted" if seen is None else "it was made anew")
        if seen.frame != known.frame:
            raise _changed(name, "its template or its settings changed")
        if seen.replicas not in known.replicas:
            wanted = "/".join(map(str, sorted(known.replicas)))
            raise _changed(name, f"it was scaled to {seen.replicas}, not {wanted}")
        return seen

    def fence(self) -> None:
        """Make what a dead holder has read stale, so that a write of its own that is late fails.

        Raises:
            ClusterError: the API server does not answer, or refuses; the call may be repeated.
        """
        for name in self._known:
            for value in ("up", None):  # to write what is there already would change no version
                change: dict[str, object] = {"metadata": {"labels": {_FENCE_LABEL: value}}}
                self._cluster.find(f"fence {name}", partial(self._patch, name=name, change=change))

    def scale(self, name: str, replicas: int, prove: Callable[[], None]) -> None:
        """Set its replicas, unless somebody else changed it meanwhile.

        `prove` raises unless the Lease is ours. It is called between the read and the write: who
        takes the Lease over later makes that read stale.

        Raises:
            LostLeaseError: the Lease is not ours any more.
            ChangedError: somebody else changed it.
            ClusterError: the API server does not answer, or refuses; the call may be repeated.
        """
        known = self._known[name]
        # A write may succeed although its answer is lost, so both numbers are right until it ends.
        self._known[name] = replace(known, replicas=known.replicas | {replicas})
        while True:
            seen = self.look(name)
            if seen.replicas == replicas:
                break
            prove()
            change = {
                "metadata": {"resourceVersion": seen.version},
                "spec": {"replicas": replicas},
            }
            try:
                self._cluster.call(
                    f"scale {name} to {replicas}", partial(self._patch, name=name, change=change)
                )
            except ConflictError:
                continue  # its status moves, too: look again at what was changed
            break
        self._known[name] = replace(known, replicas=frozenset((replicas,)))

    def pods(self, name: str) -> list[Pod]:
        """Its pods, those that are ending included.

        Raises:
            ChangedError: somebody else changed the Deployment.
            ClusterError: the API server does not answer, or refuses.
        """
        selector = self.look(name).selector
        return self._cluster.call(
            f"list the pods of {name}",
            lambda client: [
                pod
                for pod in client.list(Pod, namespace=self._namespace, labels=dict(selector))
                if not _has_ended(pod)
            ],
        )

    def label_pod(self, pod: str, label: str, value: str) -> None:
        """Set a label of a pod; one that is gone needs none.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        change = {"metadata": {"labels": {label: value}}}
        self._cluster.find(
            f"label the pod {pod}",
            lambda client: client.patch(
                Pod, pod, change, namespace=self._namespace, patch_type=PatchType.MERGE
            ),
        )

    def _patch(self, client: Client, *, name: str, change: dict[str, object]) -> Deployment:
        return client.patch(
            Deployment, name, change, namespace=self._namespace, patch_type=PatchType.MERGE
        )

    def _read(self, name: str) -> Seen | None:
        found = self._cluster.find(
            f"read the Deployment {self._namespace}/{name}",
            lambda client: client.get(Deployment, name, namespace=self._namespace),
        )
        return _seen(found) if found is not None else None


def pod_name(pod: Pod) -> str:
    """The pod's name."""
    return (pod.metadata.name if pod.metadata else None) or ""


def is_leaving(pod: Pod) -> bool:
    """Whether the pod is being deleted."""
    return bool(pod.metadata and pod.metadata.deletionTimestamp)


def _has_ended(pod: Pod) -> bool:
    """An evicted pod stays as a record, holds no device and no memory."""
    return (pod.status or PodStatus()).phase in ("Succeeded", "Failed")


def _seen(found: Deployment) -> Seen:
    metadata, status = found.metadata or ObjectMeta(), found.status or DeploymentStatus()
    frame: dict[str, object] = found.to_dict()["spec"]
    replicas = frame.pop("replicas", 1)
    settled = status.observedGeneration == metadata.generation
    spec = found.spec
    progress_seconds = spec.progressDeadlineSeconds if spec else None
    return Seen(
        uid=metadata.uid or "",
        version=metadata.resourceVersion or "",
        frame=frame,
        replicas=replicas if isinstance(replicas, int) else 1,
        ready=(status.readyReplicas or 0) if settled else 0,
        selector=dict((spec.selector.matchLabels if spec else None) or {}),
        start_seconds=progress_seconds or _DEFAULT_PROGRESS_SECONDS,
    )


def _changed(name: str, how: str) -> ChangedError:
    return ChangedError(
        f"the Deployment {name} was changed by somebody else: {how}",
        "let `pulumi up` end, then run the command again",
    )
