"""Reads the snapshot from a cluster: only what the checks ask for, never a Secret's content."""

from collections.abc import Iterable
from functools import partial

from lightkube import Client
from lightkube.models.core_v1 import NodeStatus
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Node

from synapse.cluster.access import Cluster
from synapse.cluster.quantities import cores_of, count_of, gib_of
from synapse.gates.preflight import INGRESS_ROUTES
from synapse.gates.snapshot import ClusterSnapshot, NodeSeen
from synapse.names import GPU_PRODUCT_LABEL, GPU_RESOURCE
from synapse.plan.model import Plan
from synapse.settings.neighbours import LegacyService
from synapse.settings.settings import Settings


def read_snapshot(cluster: Cluster, settings: Settings, plan: Plan) -> ClusterSnapshot:
    """Ask the API server for everything that the checks of this stack look at.

    Raises:
        ClusterError: it does not answer, or refuses.
    """
    namespace = f"/api/v1/namespaces/{plan.namespace}"
    namespace_exists = cluster.exists(namespace)
    secrets = [plan.gateway.tls_secret, plan.image_pull_secret] if namespace_exists else []
    return ClusterSnapshot(
        version=cluster.version(),
        nodes=_nodes(cluster),
        storage_classes=_there(
            cluster, "/apis/storage.k8s.io/v1/storageclasses", [plan.node.storage_class]
        ),
        runtime_classes=_there(
            cluster, "/apis/node.k8s.io/v1/runtimeclasses", [plan.gpu.runtime_class]
        ),
        custom_resources=_there(
            cluster, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", [INGRESS_ROUTES]
        ),
        namespace_exists=namespace_exists,
        secrets=_there(cluster, f"{namespace}/secrets", secrets),
        replicas=_replicas(cluster, settings),
        engine_replicas=_engine_replicas(cluster, plan),
    )


def _there(cluster: Cluster, collection: str, names: Iterable[str | None]) -> frozenset[str]:
    return frozenset(name for name in names if name and cluster.exists(f"{collection}/{name}"))


def _nodes(cluster: Cluster) -> tuple[NodeSeen, ...]:
    nodes = cluster.call("list the nodes", lambda client: list(client.list(Node)))
    seen = []
    for node in nodes:
        status = node.status or NodeStatus()
        labels = node.metadata.labels if node.metadata else None
        offered = status.allocatable or {}
        seen.append(
            NodeSeen(
                name=(node.metadata.name if node.metadata else None) or "",
                ready=_is_ready(status) and not (node.spec and node.spec.unschedulable),
                cpus=cores_of(offered.get("cpu")),
                memory_gib=gib_of(offered.get("memory")),
                gpus=count_of(offered.get(GPU_RESOURCE)),
                gpu_product=(labels or {}).get(GPU_PRODUCT_LABEL),
                storage_gib=gib_of(offered["ephemeral-storage"])
                if "ephemeral-storage" in offered
                else None,
            )
        )
    return tuple(seen)


def _is_ready(status: NodeStatus) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in status.conditions or [])


def _replicas(cluster: Cluster, settings: Settings) -> dict[str, int]:
    """What the old services ask for or still have, whichever is more: a pod may be on its way."""
    counted = {}
    for old in settings.legacy:
        found = cluster.find(
            f"read the Deployment {old.namespace}/{old.name}",
            partial(_deployment, old=old),
        )
        if found is None:
            continue
        wanted = found.spec.replicas if found.spec else None
        there = found.status.replicas if found.status else None
        counted[f"{old.namespace}/{old.name}"] = max(1 if wanted is None else wanted, there or 0)
    return counted


def _engine_replicas(cluster: Cluster, plan: Plan) -> int | None:
    found = cluster.find(
        f"read the Deployment {plan.namespace}/{plan.engine.service}",
        lambda client: client.get(Deployment, plan.engine.service, namespace=plan.namespace),
    )
    if found is None:
        return None
    wanted = found.spec.replicas if found.spec else None
    return 1 if wanted is None else wanted


def _deployment(client: Client, old: LegacyService) -> Deployment:
    return client.get(Deployment, old.name, namespace=old.namespace)
