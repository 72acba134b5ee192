"""What the steps of one swap share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from synapse.cluster.access import Cluster
from synapse.swap.change import Change
from synapse.swap.intent import Intent
from synapse.swap.lease import HeldLease
from synapse.swap.patience import Patience
from synapse.swap.requests import ReadMetrics
from synapse.swap.timeline import Recorder, Step
from synapse.swap.workloads import Workloads

Result = TypeVar("Result")


@dataclass(frozen=True)
class Stage:
    """One change under one Lease."""

    cluster: Cluster
    change: Change
    wanted: dict[str, int]
    """Replicas of every Deployment of the change when it is done."""
    before: dict[str, int]
    """Replicas to go back to."""
    lease: HeldLease
    workloads: Workloads
    patience: Patience
    recorder: Recorder
    metrics: ReadMetrics | None
    """How engines' metrics are read; None: nobody answers, as the pods are simulated."""
    gauges: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the gauges by the workload that has them."""

    def mark(self, step: Step) -> None:
        """Write on the Lease what comes next; proves that it is still ours.

        Raises:
            SwapError: it is not, or the API server was away for too long.
            ClusterError: the API server refuses.
        """
        intent = Intent(
            source=self.change.source,
            target=self.change.target,
            step=step,
            before=self.before,
        )
        self.ask(lambda: self.lease.record(intent))

    def ask(self, ask: Callable[[], Result]) -> Result:
        """Ask until the API server answers.

        Raises:
            SwapError: it was away for too long, or the swap cannot go on.
            ClusterError: it refuses.
        """
        return self.patience.insist(ask)

    def until(
        self, what: str, cure: str, within_seconds: float, found: Callable[[], Result | None]
    ) -> Result:
        """Wait for a result, while nobody else changes the Deployments.

        Raises:
            SwapError: the time is up, or the swap cannot go on.
            ClusterError: the API server refuses.
        """

        def unchanged() -> Result | None:
            self.workloads.check()
            return found()

        return self.patience.until(what, cure, within_seconds, unchanged)
