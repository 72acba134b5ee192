"""Events in the cluster: what `kubectl describe deployment` and the event log show of a swap."""

import os
from contextlib import suppress
from datetime import UTC, datetime

from lightkube.models.core_v1 import ObjectReference
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.events_v1 import Event

from synapse.cluster.access import FIELD_MANAGER, Cluster
from synapse.cluster.errors import ClusterError

_LONGEST_NOTE = 1000


def record_event(cluster: Cluster, namespace: str, deployment: str, note: str, *, ok: bool) -> None:
    """Record what became of a swap; a swap does not fail because this does."""
    event = Event(
        metadata=ObjectMeta(generateName="gpu-swap-", namespace=namespace),
        eventTime=datetime.now(UTC),
        action="Swap",
        reason="GpuSwapped" if ok else "GpuSwapFailed",
        type="Normal" if ok else "Warning",
        note=note[:_LONGEST_NOTE],
        regarding=ObjectReference(
            apiVersion="apps/v1", kind="Deployment", name=deployment, namespace=namespace
        ),
        reportingController=FIELD_MANAGER,
        reportingInstance=os.uname().nodename,
    )
    with suppress(ClusterError):
        cluster.call("record an event", lambda client: client.create(event))
