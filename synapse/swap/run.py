"""One swap from the Lease to its release, with the way back where it cannot be had."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from synapse.cluster.access import Cluster
from synapse.cluster.errors import ClusterError
from synapse.names import ENGINE_GAUGES
from synapse.plan.model import Plan
from synapse.swap.change import Change, Target, plan_change
from synapse.swap.errors import LeftError, LostLeaseError, SwapError
from synapse.swap.events import record_event
from synapse.swap.hold import Hold, ReadLog, wait_to_return
from synapse.swap.intent import Intent
from synapse.swap.lease import HeldLease, acquire
from synapse.swap.limits import Limits
from synapse.swap.patience import Patience
from synapse.swap.requests import ReadMetrics, metrics_through
from synapse.swap.rollback import go_back
from synapse.swap.stage import Stage
from synapse.swap.steps import go_there
from synapse.swap.stop import Stop
from synapse.swap.timeline import Observer, Outcome, Recorder, Silent, Step, Timeline
from synapse.swap.workloads import Workloads

SwapFailure = (SwapError, ClusterError)


@dataclass(frozen=True)
class Means:
    """How a swap looks at the world beside the API server's objects."""

    metrics: ReadMetrics | None
    log: ReadLog | None


def means_of(cluster: Cluster, plan: Plan, limits: Limits) -> Means:
    """Through the API server; on the simulated forge nobody answers, and nothing is asked."""
    if cluster.simulated:
        return Means(metrics=None, log=None)
    return Means(
        metrics=metrics_through(cluster, plan.namespace, limits.metrics_seconds),
        log=lambda pod, seconds: cluster.recent_log(plan.namespace, pod, seconds),
    )


@dataclass(frozen=True)
class Swap:
    """A swap that may be run, once."""

    cluster: Cluster
    plan: Plan
    identity: str
    """Unique to this run, and telling to a reader."""
    limits: Limits = field(default_factory=Limits)
    observer: Observer = field(default_factory=Silent)
    stop: Stop = field(default_factory=Stop)
    means: Means | None = None
    """None: those of the cluster."""

    def run(self, target: Target, hold: Hold | None = None) -> Timeline:
        """Bring the target state about; with a hold, the state before it comes back after it.

        Raises:
            SwapError: nothing was touched, as the plan or another swap does not allow it.
            ClusterError: nothing was touched, as the API server does not answer, or refuses.
        """
        change = plan_change(self.plan, target)
        recorder = Recorder(self.observer)
        patience = Patience(self.limits, self.stop)
        intent = Intent(source=change.source, target=target, step=Step.LEASE)
        with recorder.step(Step.LEASE, "taken"):
            lease, cut_off = acquire(
                self.cluster, change.namespace, self.identity, intent, patience
            )
            if cut_off:
                recorder.say(f"a swap to {cut_off.target} was cut off at step {cut_off.step}")
        patience.also_check(lease.check)
        outcome, why = _Run(self, change, lease, patience, recorder).run(cut_off, hold)
        return Timeline(
            source=change.source,
            target=target,
            began_at=recorder.began_at,
            simulated=self.cluster.simulated,
            outcome=outcome,
            why=why,
            steps=tuple(recorder.steps),
        )


@dataclass(frozen=True)
class _Run:
    """A swap under its Lease."""

    swap: Swap
    change: Change
    lease: HeldLease
    patience: Patience
    recorder: Recorder

    def run(self, cut_off: Intent | None, hold: Hold | None) -> tuple[Outcome, str]:
        """Take the steps, and release the Lease unless the next swap has to know what is on it."""
        try:
            stage, is_there = self._stage(self.change, cut_off)
        except SwapFailure as error:
            if cut_off and cut_off.before:
                self.lease.stop_renewing()
            else:
                self._release()
            return "failed", str(error)
        outcome: Outcome = "already"
        why = ""
        if not is_there:
            outcome, why = self._go(stage)
        if hold and outcome in ("already", "swapped"):
            outcome, why = self._hold(stage, hold, outcome)
        if outcome in ("already", "swapped", "went back"):
            self._release()
        else:
            self.lease.stop_renewing()
        return outcome, why

    def _hold(self, stage: Stage, hold: Hold, outcome: Outcome) -> tuple[Outcome, str]:
        try:
            with self.recorder.step(Step.HOLD, stage.change.target):
                why = wait_to_return(stage, hold, self._means.log)
                self.recorder.say(why)
            # A terminal that closes says so more than once, and chat is to come back all the same.
            self.swap.stop.go_back()
            stage, is_there = self._stage(plan_change(self.swap.plan, stage.change.source), None)
        except LostLeaseError as error:
            return outcome, error.what
        except SwapFailure as error:
            return "failed", str(error)
        if not is_there:
            outcome, failure = self._go(stage)
            why = failure or why
        return outcome, why

    def _stage(self, change: Change, cut_off: Intent | None) -> tuple[Stage, bool]:
        """What the steps work with, and whether nothing is to be done."""
        swap = self.swap
        workloads = Workloads(swap.cluster, change.namespace, change.workloads)
        present = self.patience.insist(workloads.learn)
        workloads.require_all()
        if cut_off:
            self.patience.insist(workloads.fence)
        before = dict(cut_off.before) if cut_off and cut_off.before else present
        engine = swap.plan.engine
        wanted = dict.fromkeys(change.leaves, 0)
        wanted |= {name: max(1, swap.plan.workload(name).replicas) for name in change.enters}
        stage = Stage(
            cluster=swap.cluster,
            change=change,
            wanted=wanted,
            before={name: before.get(name, 0) for name in change.workloads},
            lease=self.lease,
            workloads=workloads,
            patience=self.patience,
            recorder=self.recorder,
            metrics=self._means.metrics,
            gauges={engine.service: ENGINE_GAUGES[engine.kind]},
        )
        entered = [name for name, count in wanted.items() if count > 0]
        ready = all(
            self.patience.insist(partial(workloads.look, name)).ready >= wanted[name]
            for name in entered
        )
        return stage, cut_off is None and present == wanted and ready

    def _go(self, stage: Stage) -> tuple[Outcome, str]:
        """There, or back."""
        try:
            go_there(stage)
        except (LostLeaseError, LeftError) as error:
            return "failed", str(error)
        except SwapFailure as error:
            return self._back(stage, error)
        self._tell(stage.change.enters, f"{stage.change.source} → {stage.change.target}", ok=True)
        return "swapped", ""

    def _back(self, stage: Stage, error: SwapError | ClusterError) -> tuple[Outcome, str]:
        self.swap.stop.go_back()
        try:
            go_back(replace(stage, wanted=stage.before))
        except SwapFailure as failure:
            why = f"{error}. On the way back: {failure}"
            self._tell(stage.change.leaves, why, ok=False)
            return "failed", why
        self._tell(stage.change.leaves, f"{error}. Went back", ok=False)
        return "went back", str(error)

    def _tell(self, about: tuple[str, ...], note: str, *, ok: bool) -> None:
        namespace = self.change.namespace
        for name in about:
            record_event(
                self.swap.cluster, namespace, name, f"{note} (by {self.swap.identity})", ok=ok
            )

    def _release(self) -> None:
        # What cannot be released expires, and nothing is undone on it.
        with suppress(SwapError, ClusterError), self.recorder.step(Step.RELEASE, "lease"):
            self.patience.insist(self.lease.release)

    @property
    def _means(self) -> Means:
        swap = self.swap
        return swap.means or means_of(swap.cluster, swap.plan, swap.limits)
