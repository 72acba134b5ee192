"""Which pods outlast which when the node runs short, by PriorityClasses of the stack's own.

The kubelet evicts what is above its requests, the lowest priority first, and the scheduler places
the highest first, as after a reboot. Nobody preempts: a pod that finds no room waits, because the
one that it would push out is a model that took minutes to load, or somebody else's.
"""

from enum import StrEnum

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from synapse.components.labels import labels


class Priority(StrEnum):
    """What a pod is to the stack."""

    GATEWAY = "gateway"
    MODELS = "models"
    JOBS = "jobs"


# A pod without a class has 0, unless the cluster's operator says otherwise.
_VALUES = {Priority.GATEWAY: 1000, Priority.MODELS: 0, Priority.JOBS: -1}
_MEANINGS = {
    Priority.GATEWAY: "answers every client, and falls back when a model is away",
    Priority.MODELS: "one model is away when it ends; does not push others off the GPU",
    Priority.JOBS: "can be done again",
}


def class_name(namespace: str, priority: Priority) -> str:
    """A class is of the whole cluster, so it bears the name of the stack's namespace."""
    return f"{namespace}-{priority}"


def priority_classes(name: str, namespace: str, app: str, opts: pulumi.ResourceOptions) -> None:
    """Register the stack's classes."""
    for priority, value in _VALUES.items():
        PriorityClass(
            f"{name}-priority-{priority}",
            metadata=ObjectMetaArgs(name=class_name(namespace, priority), labels=labels(app)),
            value=value,
            preemption_policy="Never",
            description=f"{namespace}: {_MEANINGS[priority]}",
            opts=opts,
        )
