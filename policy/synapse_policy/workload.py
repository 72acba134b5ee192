"""Whatever brings pods, in one view: Deployments and their like, Jobs, CronJobs, bare Pods."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from synapse_policy import quantity
from synapse_policy.containers import Container, pod_gib, pod_gpus
from synapse_policy.reading import Props, UnreadableError, child, children, number, text

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
_SERVING = ("ReplicationController", "ReplicaSet", "Deployment", "StatefulSet")
_DEFAULT_SURGE = "25%"


def kind_of(resource_type: str) -> str | None:
    """Return the kind of `kubernetes:apps/v1:Deployment`; None for what is not Kubernetes'."""
    if not resource_type.startswith("kubernetes:"):
        return None
    return resource_type.rpartition(":")[2].removesuffix("Patch")


def brings_pods(resource_type: str) -> bool:
    """Whether resources of this type hold a pod's spec."""
    return kind_of(resource_type) in _POD_SPECS


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
    def engine(self) -> Container | None:
        """The container that runs vLLM or SGLang as a server; a Job only downloads for it."""
        if self.kind in ("Job", "CronJob"):
            return None
        return next((one for one in self.containers if one.engine), None)

    @cached_property
    def ollama(self) -> Container | None:
        """The container that serves with Ollama; a Job only pulls for it."""
        if self.kind in ("Job", "CronJob"):
            return None
        return next((one for one in self.containers if one.ollama), None)

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
