"""Whatever brings pods, in one view: Deployments and their like, Jobs, CronJobs, bare Pods."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from pulumi_policy.proxy import UnknownValueError

from synapse_policy import quantity
from synapse_policy.containers import Container, pod_gib, pod_gpus
from synapse_policy.reading import Props, UnreadableError, child, children, number, text
from synapse_policy.root import is_below_root
from synapse_policy.selectors import labels_in

VRAM_ANNOTATION = "synapse/vram-gib"
MODEL_ANNOTATION = "synapse/model"
MODELS_ANNOTATION = "synapse/models"

_TEMPLATE = ("spec", "template", "spec")
_POD_SPECS = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "ReplicationController": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "Deployment": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
_PATCH = "Patch"
_SERVING = ("ReplicationController", "ReplicaSet", "Deployment", "StatefulSet")
_DEFAULT_SURGE = "25%"


@cache
def kind_of(resource_type: str) -> str | None:
    """Return the kind of `kubernetes:apps/v1:Deployment`; None for what is not Kubernetes'."""
    if not resource_type.startswith("kubernetes:"):
        return None
    return resource_type.rpartition(":")[2].removesuffix(_PATCH)


def brings_pods(resource_type: str) -> bool:
    """Whether resources of this type hold a pod's spec."""
    return kind_of(resource_type) in _POD_SPECS


def is_patch(resource_type: str) -> bool:
    """Whether it changes a part of an object: what it leaves out may stand in the object."""
    return resource_type.endswith(_PATCH)


def metadata_name(props: Props, resource_name: str) -> str:
    """Return the object's name, or Pulumi's name where the object's is generated from it."""
    return text(child(props, "metadata"), "name") or resource_name


@dataclass(frozen=True)
class Workload:
    """A resource that brings pods; a field is read when it is asked for."""

    resource_type: str
    resource_name: str
    urn: str
    props: Props

    @property
    def kind(self) -> str:
        """Its kind in Kubernetes."""
        return kind_of(self.resource_type) or self.resource_type

    @property
    def is_patch(self) -> bool:
        """Whether what it leaves out may stand in the object that it changes."""
        return is_patch(self.resource_type)

    @property
    def is_served(self) -> bool:
        """Whether its pods stay: a Job's end when their work is done."""
        return self.kind not in ("Job", "CronJob")

    @cached_property
    def name(self) -> str:
        """Its name in Kubernetes."""
        return metadata_name(self.props, self.resource_name)

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.name!r}"

    @cached_property
    def _pod_owner(self) -> Props:
        owner = self.props
        for key in _POD_SPECS[self.kind][:-1]:
            owner = child(owner, key)
        return owner

    @cached_property
    def pod_spec(self) -> Props:
        """The spec of its pods."""
        return child(self._pod_owner, _POD_SPECS[self.kind][-1])

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Containers that run together."""
        return tuple(Container(props) for props in children(self.pod_spec, "containers"))

    @cached_property
    def init_containers(self) -> tuple[Container, ...]:
        """Containers that run before those, and sidecars."""
        return tuple(Container(props) for props in children(self.pod_spec, "initContainers"))

    @cached_property
    def all_containers(self) -> tuple[Container, ...]:
        """All of them, those included that are put into a running pod."""
        ephemeral = children(self.pod_spec, "ephemeralContainers")
        return (*self.init_containers, *self.containers, *(Container(one) for one in ephemeral))

    @cached_property
    def pod_labels(self) -> dict[str, str]:
        """The labels of its pods."""
        return labels_in(child(self._pod_owner, "metadata"))

    @cached_property
    def pod_annotations(self) -> dict[str, str]:
        """The annotations of its pods."""
        return labels_in(child(self._pod_owner, "metadata"), "annotations")

    def annotation(self, name: str) -> str | None:
        """Return an annotation of the pods, or of the object itself."""
        for owner in (self._pod_owner, self.props):
            value = text(child(child(owner, "metadata"), "annotations"), name)
            if value is not None:
                return value
        return None

    @cached_property
    def replicas(self) -> int:
        """Pods in the steady state; on one node a DaemonSet has one."""
        spec = child(self.props, "spec")
        if self.kind in _SERVING:
            asked = number(spec, "replicas")
            return 1 if asked is None else round(asked)
        if self.kind == "Job":
            return _parallel(spec)
        if self.kind == "CronJob":
            return _parallel(child(child(spec, "jobTemplate"), "spec"))
        return 1

    @property
    def recreates(self) -> bool:
        """Whether a rollout removes the old pod before the new one is started."""
        if self.kind == "DaemonSet":
            most = child(child(child(self.props, "spec"), "updateStrategy"), "rollingUpdate")
            return quantity.amount(str(most.get("maxSurge") or 0).removesuffix("%")) == 0
        if self.kind != "Deployment":
            return True  # a StatefulSet, a Job or a Pod never has two of the same
        return text(self._strategy, "type") == "Recreate" or self.surge == 0

    @cached_property
    def _strategy(self) -> Props:
        return child(child(self.props, "spec"), "strategy")

    @cached_property
    def surge(self) -> int:
        """Pods beyond the replicas during a rollout."""
        if self.kind != "Deployment" or text(self._strategy, "type") == "Recreate":
            return 0
        most = child(self._strategy, "rollingUpdate").get("maxSurge")
        if most is None:
            most = _DEFAULT_SURGE
        # What outside hands scaled to 0 may be scaled up again: a GPU pod counts as one at least.
        replicas = max(self.replicas, 1) if self.gpus else self.replicas
        if isinstance(most, str) and most.endswith("%"):
            return math.ceil(quantity.amount(most.removesuffix("%")) / 100 * replicas)
        return round(quantity.amount(most)) if replicas else 0

    @property
    def pods(self) -> int:
        """Pods that may exist at once; a GPU workload counts although it is scaled to 0."""
        return (max(self.replicas, 1) if self.gpus else self.replicas) + self.surge

    @cached_property
    def gpus(self) -> int:
        """GPUs that one pod claims."""
        return pod_gpus(self.containers, self.init_containers)

    def memory_gib(self, bound: str) -> float:
        """Return the RAM of one pod under `limits` or `requests`."""
        try:
            return pod_gib(self.containers, self.init_containers, bound)
        except UnreadableError as problem:
            raise UnreadableError(f"{self.label}: {problem}") from None

    @cached_property
    def readable_containers(self) -> tuple[Container, ...]:
        """All containers, to recognise what they run.

        Below a root, containers that are unknown raise. In anybody else's program they are passed
        over here, as a rule speaks there only where it is sure.
        """
        try:
            return self.all_containers
        except UnknownValueError:
            if is_below_root(self.urn):
                raise
            return ()

    @cached_property
    def engines(self) -> tuple[Container, ...]:
        """The containers that serve with vLLM or SGLang; unknown values as above.

        A Job only downloads for them.
        """
        if not self.is_served:
            return ()
        if is_below_root(self.urn):
            return tuple(one for one in self._running if one.engine)
        readable = self._running if self.readable_containers else ()
        return tuple(one for one in readable if one.recognised_engine)

    @property
    def _running(self) -> tuple[Container, ...]:
        """The containers that run as long as the pod, sidecars included."""
        return (*self.containers, *(one for one in self.init_containers if one.stays))

    @property
    def engine(self) -> Container | None:
        """The container that runs vLLM or SGLang as a server.

        Raises:
            UnreadableError: there are several, which no sum over workloads tells apart.
        """
        if len(self.engines) > 1:
            names = " and ".join(repr(one.name) for one in self.engines)
            raise UnreadableError(
                f"{self.label} runs several engines in a pod, {names}; give each a Deployment of "
                "its own"
            )
        return self.engines[0] if self.engines else None

    @cached_property
    def ollamas(self) -> tuple[Container, ...]:
        """The containers that run Ollama, a Job's that pulls included; unknown values as above."""
        if is_below_root(self.urn):
            return tuple(one for one in self.all_containers if one.ollama)
        return tuple(one for one in self.readable_containers if one.recognised_ollama)

    @property
    def ollama(self) -> Container | None:
        """The container that serves with Ollama; a Job only pulls for it."""
        return self.ollamas[0] if self.is_served and self.ollamas else None

    @property
    def ollama_tags(self) -> tuple[str, ...]:
        """Models that its annotations name."""
        named = self.annotation(MODELS_ANNOTATION) or self.annotation(MODEL_ANNOTATION) or ""
        return tuple(dict.fromkeys(tag.strip() for tag in named.split(",") if tag.strip()))

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the volume claims that its pods mount."""
        return tuple(_claims(self.pod_spec))


def _claims(pod_spec: Props) -> Iterator[str]:
    for volume in children(pod_spec, "volumes"):
        claim = text(child(volume, "persistentVolumeClaim"), "claimName")
        if claim:
            yield claim


def _parallel(job_spec: Props) -> int:
    parallel = number(job_spec, "parallelism")
    return 1 if parallel is None else round(parallel)
