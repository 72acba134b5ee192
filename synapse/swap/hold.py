"""Keeps a swap for a while: until a time, until speech is idle, or until somebody says so."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from synapse.cluster.errors import ClusterError, UnreachableError
from synapse.swap.intent import Intent
from synapse.swap.pods import serves
from synapse.swap.stage import Stage
from synapse.swap.timeline import Step
from synapse.swap.workloads import is_leaving, pod_name

ReadLog = Callable[[str, float], str]
"""What a pod logged in the last seconds."""

_REQUEST = re.compile(r'"(?P<method>[A-Z]+) /\S* HTTP/[\d.]+"')
_LOOKS_PER_IDLE = 10
_LONGEST_LOOK_SECONDS = 15.0


@dataclass(frozen=True)
class Hold:
    """When the state before comes back; at least one of the two."""

    seconds: float | None
    """After this time."""
    idle_seconds: float | None
    """Once nothing was asked of what entered for so long."""


def is_idle(log: str) -> bool:
    """Whether a web server's access log has calls, and none but GETs.

    The kubelet's own probes are GETs: a log without them says nothing, and counts as busy.
    """
    methods = {found["method"] for found in _REQUEST.finditer(log)}
    return methods == {"GET"}


def wait_to_return(stage: Stage, hold: Hold, read_log: ReadLog | None) -> str:
    """Wait until the hold is over, and return why.

    Another swap may take the Lease meanwhile.

    Raises:
        LostLeaseError: it did.
        SwapError: the API server was away for too long at the beginning.
        ClusterError: the API server refuses.
    """
    began = time.monotonic()
    returns_at = _after(hold.seconds)
    intent = Intent(
        source=stage.change.source,
        target=stage.change.target,
        step=Step.HOLD,
        returns_at=returns_at,
    )
    stage.ask(lambda: stage.lease.record(intent))
    looked = began
    while True:
        stage.lease.check()
        why = stage.patience.stop.take()
        if why:
            return why
        now = time.monotonic()
        if hold.seconds is not None and now - began >= hold.seconds:
            return f"{hold.seconds:g} s are over"
        if hold.idle_seconds is not None and now - looked >= _look_every(hold.idle_seconds):
            looked = now
            long_enough = now - began >= hold.idle_seconds
            if long_enough and _nobody_asked(stage, hold.idle_seconds, read_log):
                return f"idle for {hold.idle_seconds:g} s"
        left = "" if hold.seconds is None else f"{hold.seconds - (now - began):.0f} s left"
        stage.recorder.say(left or "until it is idle")
        stage.patience.stop.wait(stage.patience.limits.poll_seconds)


def _after(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)


def _look_every(idle_seconds: float) -> float:
    return min(idle_seconds / _LOOKS_PER_IDLE, _LONGEST_LOOK_SECONDS)


def _nobody_asked(stage: Stage, seconds: float, read_log: ReadLog | None) -> bool:
    """Whether the logs of what entered show no request; one that cannot be read counts as busy."""
    if read_log is None:
        return False
    try:
        pods = [pod for name in stage.change.enters for pod in stage.workloads.pods(name)]
        logs = [read_log(pod_name(pod), seconds) for pod in pods if serves(pod)]
    except (ClusterError, UnreachableError):
        return False
    leaving = any(is_leaving(pod) for pod in pods)
    return bool(logs) and not leaving and all(is_idle(log) for log in logs)
