"""How the GPU is shared right now: what has it, and whether a swap is at work."""

from dataclasses import dataclass

from synapse.cluster.access import Cluster
from synapse.plan.model import Plan
from synapse.swap.change import Change, Target, plan_change
from synapse.swap.lease import LeaseSeen, see
from synapse.swap.workloads import Workloads


@dataclass(frozen=True)
class Present:
    """The cluster at one moment."""

    replicas: dict[str, int]
    """By Deployment; one that is not deployed is left out."""
    lease: LeaseSeen | None
    target: Target | None
    """What has the GPU; None: neither, or both want it."""


def look(cluster: Cluster, plan: Plan) -> Present:
    """Read the GPU Deployments and the Lease; nothing is written.

    Raises:
        SwapError: there is nothing to swap in this plan.
        ClusterError: the API server does not answer, or refuses.
    """
    change = plan_change(plan, Target.SPEECH)
    replicas = Workloads(cluster, plan.namespace, change.workloads).learn()
    return Present(replicas, see(cluster, plan.namespace), _target(change, replicas))


def _target(change: Change, replicas: dict[str, int]) -> Target | None:
    chat = any(replicas.get(name) for name in change.leaves)
    speech = any(replicas.get(name) for name in change.enters)
    if chat == speech:
        return None
    return Target.CHAT if chat else Target.SPEECH
