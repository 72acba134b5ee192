"""What the checks look at: the cluster at one moment, as plain data."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeSeen:
    """A node as the scheduler sees it."""

    name: str
    ready: bool
    cpus: float
    memory_gib: float
    """Allocatable: what the kubelet offers to pods."""
    gpus: int = 0
    """GPU claims that the device plugin offers; a time-sliced GPU counts more than once."""
    gpu_product: str | None = None
    storage_gib: float | None = None
    """The disk that the kubelet watches, which local-path volumes lie on; None: not reported."""


@dataclass(frozen=True)
class ClusterSnapshot:
    """The cluster, as far as the checks ask for it."""

    version: str
    nodes: tuple[NodeSeen, ...]
    storage_classes: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()
    custom_resources: frozenset[str] = frozenset()
    """Those asked for that are there, by the CustomResourceDefinition's name."""
    namespace_exists: bool = False
    secrets: frozenset[str] = frozenset()
    """Those asked for that are in the stack's namespace."""
    replicas: dict[str, int] = field(default_factory=dict)
    """Pods of the old Deployments, by `namespace/name`; one that is gone is left out."""
    engine_replicas: int | None = None
    """What the stack's own engine is scaled to; None: it is not deployed."""
