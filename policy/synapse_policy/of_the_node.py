"""Pods of the stack that are part of the node: the one place for what they are excepted from."""

from synapse_policy.workload import Workload

_REASONS = {
    "nvidia-device-plugin": (
        "it offers the GPU to the kubelet by a socket in a folder of the node, which root alone "
        "may use, and it serves nobody"
    ),
}
EXCEPTED = "Excepted is " + ", and ".join(
    f"the DaemonSet {name}: {reason}" for name, reason in _REASONS.items()
)
"""For the reasons of the rules that leave them out."""


def is_of_the_node(workload: Workload) -> bool:
    """Whether these pods do the node's own work."""
    return workload.kind == "DaemonSet" and workload.name in _REASONS
