"""How long each part of a swap may take. How long a pod may start is its Deployment's to say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds in seconds; tests shorten them."""

    lease_seconds: int = 15
    """A Lease that was not renewed for so long has a dead holder."""
    poll_seconds: float = 0.5
    """The longest pause between two looks."""
    outage_seconds: float = 120
    """An API server that is away for longer fails the swap."""
    drain_seconds: float = 120
    settle_seconds: float = 1
    """The engine has to be idle for so long: requests may be on their way to it."""
    metrics_seconds: float = 5
    """Metrics that come later count as busy."""
    gone_seconds: float = 180
    """A pod has its grace period, 150 s, and the node has to take note."""
    memory_seconds: float = 600
    """More than the init container's own deadline, so that its message is the one that is told."""
