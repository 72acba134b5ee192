"""The Lease that lets one swap at a time touch the GPU workloads.

Every write replaces the version that was read last, so that two writers cannot both succeed. An
outage shorter or longer than the Lease makes no difference to its holder: as long as the write
succeeds, nobody came between.
"""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from lightkube import Client
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease
from lightkube.types import PatchType

from synapse.cluster.access import Cluster
from synapse.cluster.errors import ClusterError, ConflictError, UnreachableError
from synapse.swap.errors import LostLeaseError, SwapError
from synapse.swap.intent import INTENT_ANNOTATION, Intent, read_intent
from synapse.swap.patience import Patience

LEASE = "gpu-swap"
_RENEWALS_PER_LEASE = 3


@dataclass(frozen=True)
class LeaseSeen:
    """A Lease at one moment."""

    version: str
    holder: str
    since: datetime | None
    renewed: datetime | None
    intent: Intent | None


class HeldLease:
    """The Lease while it is ours; renewed in the background."""

    def __init__(self, cluster: Cluster, held: Lease, seconds: int) -> None:
        self._cluster, self._held, self._seconds = cluster, held, seconds
        self._lock = threading.Lock()
        self._lost: str | None = None
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise if it was found to be lost.

        Raises:
            LostLeaseError: another one holds it.
        """
        if self._lost is not None:
            raise LostLeaseError(
                f"this swap lost the Lease {LEASE}: {self._lost}",
                "this swap touches nothing any more; see `python -m synapse swap`",
            )

    def record(self, intent: Intent) -> None:
        """Write what comes next, which also proves that the Lease is still ours.

        Raises:
            LostLeaseError: another one holds it.
            ClusterError: the API server does not answer, or refuses.
        """
        with self._lock:
            self._write(intent.model_dump_json())

    def prove(self) -> None:
        """Renew it now.

        Raises:
            LostLeaseError: another one holds it.
            ClusterError: the API server does not answer, or refuses.
        """
        with self._lock:
            self._write(None)

    def release(self) -> None:
        """Delete it; nothing happens to one that is not ours any more.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        self.stop_renewing()
        with self._lock:
            while self._lost is None and not _delete(self._cluster, self._held):
                # Gone, ours in a version whose answer was lost, or another one's.
                found = _find(self._cluster, self._namespace)
                if found is None or _holder(found) != _holder(self._held):
                    return
                self._held = found

    def stop_renewing(self) -> None:
        """Leave it to expire, with the intent that stands on it."""
        self._released.set()
        self._thread.join()

    @property
    def _namespace(self) -> str:
        return (self._held.metadata or ObjectMeta()).namespace or ""

    def _keep(self) -> None:
        while not self._released.wait(self._seconds / _RENEWALS_PER_LEASE):
            try:
                with self._lock:
                    self._write(None)
            except LostLeaseError:
                return
            except ClusterError:
                continue  # the next write of the swap itself says what is wrong

    def _write(self, intent: str | None) -> None:
        self.check()
        while True:
            changed = _renewed(self._held, intent)
            try:
                written = self._cluster.find(
                    f"renew the Lease {LEASE}", partial(_patch, changed=changed)
                )
            except ConflictError:
                written = None
            if written is not None:
                self._held = written
                return
            # A write may have succeeded although its answer was lost: the name on it decides.
            found = _find(self._cluster, self._namespace)
            if found is None or _holder(found) != _holder(self._held):
                self._lost = f"{_holder(found)} holds it" if found else "it was deleted"
                self.check()
            else:
                self._held = found


def acquire(
    cluster: Cluster, namespace: str, identity: str, intent: Intent, patience: Patience
) -> tuple[HeldLease, Intent | None]:
    """Take the Lease; of a dead holder the intent comes with it.

    A holder is dead when its Lease did not change for as long as the Lease is good for, by our
    own clock: the clocks of two machines are not compared.

    Raises:
        SwapError: another swap holds it, and renews it.
        ClusterError: the API server refuses.
    """
    seconds = patience.limits.lease_seconds
    watched: Lease | None = None
    cut_off: Intent | None = None
    since = time.monotonic()
    while True:
        patience.check()
        asked = time.monotonic()
        found = patience.insist(lambda: _find(cluster, namespace))
        if found is not None and _holder(found) == identity:
            return HeldLease(cluster, found, seconds), cut_off
        if time.monotonic() - asked > seconds / _RENEWALS_PER_LEASE:
            watched = None  # what kept us from reading kept the holder from renewing, too
        if found is not None and not _is_free(found):
            if watched is None:
                watched, since = found, time.monotonic()
            if _version(found) != _version(watched):
                raise _held_by(found)
            if time.monotonic() - since < _good_for(found, seconds):
                patience.stop.wait(patience.limits.poll_seconds)
                continue
        cut_off = _intent_kept(found)
        first = intent.model_copy(update={"before": cut_off.before}) if cut_off else intent
        _take(cluster, _lease(namespace, identity, first, seconds, found))


def see(cluster: Cluster, namespace: str) -> LeaseSeen | None:
    """Who holds the Lease, and what for; None: nobody.

    Raises:
        ClusterError: the API server does not answer, or refuses.
    """
    found = _find(cluster, namespace)
    if found is None:
        return None
    spec = found.spec or LeaseSpec()
    return LeaseSeen(
        version=_version(found),
        holder=_holder(found),
        since=spec.acquireTime,
        renewed=spec.renewTime,
        intent=read_intent(_annotations(found)),
    )


def _lease(
    namespace: str, identity: str, intent: Intent, seconds: int, found: Lease | None
) -> Lease:
    now = datetime.now(UTC)
    return Lease(
        metadata=ObjectMeta(
            name=LEASE,
            namespace=namespace,
            labels={"app.kubernetes.io/part-of": "synapse"},
            annotations={INTENT_ANNOTATION: intent.model_dump_json()},
            resourceVersion=_version(found) if found else None,
        ),
        spec=LeaseSpec(
            holderIdentity=identity,
            leaseDurationSeconds=seconds,
            acquireTime=now,
            renewTime=now,
        ),
    )


def _take(cluster: Cluster, wanted: Lease) -> None:
    """Try to write it. Whether that succeeded is read, as the answer may get lost."""
    what = f"take the Lease {LEASE}"
    with suppress(ConflictError, UnreachableError):
        if wanted.metadata and wanted.metadata.resourceVersion:
            cluster.find(what, partial(_patch, changed=wanted))
        else:
            cluster.call(what, lambda client: client.create(wanted))


def _intent_kept(found: Lease | None) -> Intent | None:
    """The intent of a swap that was cut off; what merely held has nothing to go back to."""
    intent = read_intent(_annotations(found)) if found else None
    return None if intent is None or intent.holds else intent


def _renewed(held: Lease, intent: str | None) -> Lease:
    metadata, spec = held.metadata or ObjectMeta(), held.spec or LeaseSpec()
    annotations = dict(metadata.annotations or {})
    if intent is not None:
        annotations[INTENT_ANNOTATION] = intent
    return Lease(
        metadata=ObjectMeta(
            name=metadata.name,
            namespace=metadata.namespace,
            labels=metadata.labels,
            annotations=annotations,
            resourceVersion=metadata.resourceVersion,
        ),
        spec=LeaseSpec(
            holderIdentity=spec.holderIdentity,
            leaseDurationSeconds=spec.leaseDurationSeconds,
            acquireTime=spec.acquireTime,
            renewTime=datetime.now(UTC),
        ),
    )


def _delete(cluster: Cluster, held: Lease) -> bool:
    namespace = (held.metadata or ObjectMeta()).namespace
    return cluster.delete_unchanged(
        f"release the Lease {LEASE}",
        f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}",
        _version(held),
    )


def _patch(client: Client, changed: Lease) -> Lease:
    """Change it if it is still that version. To replace it would make one that was deleted anew."""
    metadata = changed.metadata or ObjectMeta()
    return client.patch(
        Lease,
        metadata.name or "",
        changed,
        namespace=metadata.namespace,
        patch_type=PatchType.MERGE,
    )


def _find(cluster: Cluster, namespace: str) -> Lease | None:
    return cluster.find(
        f"read the Lease {namespace}/{LEASE}",
        lambda client: client.get(Lease, LEASE, namespace=namespace),
    )


def _is_free(lease: Lease) -> bool:
    intent = read_intent(_annotations(lease))
    return not _holder(lease) or (intent is not None and intent.holds)


def _held_by(lease: Lease) -> SwapError:
    intent = read_intent(_annotations(lease))
    doing = f", {intent.source} → {intent.target}, step {intent.step}" if intent else ""
    return SwapError(
        f"another swap runs (held by {_holder(lease)}{doing})",
        "wait for it; `python -m synapse swap` shows how it stands",
    )


def _good_for(lease: Lease, default_seconds: int) -> float:
    return (lease.spec.leaseDurationSeconds if lease.spec else None) or default_seconds


def _holder(lease: Lease) -> str:
    return (lease.spec.holderIdentity if lease.spec else None) or ""


def _version(lease: Lease) -> str:
    return (lease.metadata.resourceVersion if lease.metadata else None) or ""


def _annotations(lease: Lease) -> dict[str, str]:
    return (lease.metadata.annotations if lease.metadata else None) or {}
