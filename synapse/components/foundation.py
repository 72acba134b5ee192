"""Namespace, budgets, priorities, claims and the shut door: what is there in every phase.

It owns every claim of every phase, so that no rollback can reach a volume: a claim is protected and
retained, and so is the namespace, whose deletion would take the claims with it.
"""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    Namespace,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpecArgs,
    ResourceQuota,
    ResourceQuotaSpecArgs,
    VolumeResourceRequirementsArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from synapse.components.labels import SKIP_AWAIT, labels
from synapse.components.network import policy, reach_dns
from synapse.components.priority import priority_classes
from synapse.components.quantities import cores, gibibytes
from synapse.names import GPU_RESOURCE, OPERATOR_POD
from synapse.plan.model import Plan, PodResources, Quota, Volume

_APP = "synapse"


@dataclass(frozen=True)
class FoundationArgs:
    """The plan, whose phase sets the quota and whose volumes become claims."""

    plan: Plan


class Foundation(pulumi.ComponentResource):
    """The namespace and all that lasts in it.

    Attributes:
        namespace: name of the namespace, known once it exists.
    """

    namespace: pulumi.Output[str]

    def __init__(
        self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:foundation:Foundation", name, None, opts)
        plan = args.plan
        lasting = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        namespace = Namespace(
            f"{name}-namespace",
            metadata=ObjectMetaArgs(name=plan.namespace, labels=_namespace_labels()),
            opts=lasting,
        )
        within = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        priority_classes(name, plan.namespace, _APP, pulumi.ResourceOptions(parent=self))
        quota = plan.phase_plan(plan.phase).quota
        ResourceQuota(
            f"{name}-quota",
            metadata=_metadata("synapse-quota", plan),
            spec=ResourceQuotaSpecArgs(hard=_hard(quota)),
            opts=within,
        )
        LimitRange(
            f"{name}-limits",
            metadata=_metadata("synapse-limits", plan),
            spec=LimitRangeSpecArgs(limits=[_defaults(plan.workload(OPERATOR_POD).pod)]),
            opts=within,
        )
        NetworkPolicy(
            f"{name}-default-deny",
            metadata=_metadata("default-deny", plan),
            spec=policy({}, egress=[reach_dns()]),
            opts=within,
        )
        for volume in plan.volumes:
            PersistentVolumeClaim(
                f"{name}-{volume.claim}",
                metadata=_metadata(volume.claim, plan, SKIP_AWAIT),
                spec=_claim(volume, plan),
                opts=pulumi.ResourceOptions.merge(
                    lasting, pulumi.ResourceOptions(depends_on=[namespace])
                ),
            )
        self.namespace = namespace.metadata.apply(lambda meta: meta.name or plan.namespace)
        self.register_outputs({"namespace": self.namespace})


def _namespace_labels() -> dict[str, str]:
    """Baseline is enforced; what falls short of restricted is warned of and audited."""
    prefix = "pod-security.kubernetes.io"
    return labels(_APP) | {
        f"{prefix}/enforce": "baseline",
        f"{prefix}/warn": "restricted",
        f"{prefix}/audit": "restricted",
    }


def _metadata(name: str, plan: Plan, annotations: dict[str, str] | None = None) -> ObjectMetaArgs:
    return ObjectMetaArgs(
        name=name, namespace=plan.namespace, labels=labels(_APP), annotations=annotations
    )


def _hard(quota: Quota) -> dict[str, str]:
    return {
        "requests.cpu": cores(quota.cpu_request),
        "requests.memory": gibibytes(quota.memory_request_gib),
        "limits.memory": gibibytes(quota.memory_limit_gib),
        "requests.ephemeral-storage": gibibytes(quota.ephemeral_storage_gib),
        "limits.ephemeral-storage": gibibytes(quota.ephemeral_storage_gib),
        f"requests.{GPU_RESOURCE}": str(quota.gpus),
        "pods": str(quota.pods),
        # The one way in from outside is the ingress.
        "services.nodeports": "0",
        "services.loadbalancers": "0",
    }


def _defaults(unsized: PodResources) -> LimitRangeItemArgs:
    """What a pod gets that says nothing; a default CPU limit would only slow it down."""
    disk = {"ephemeral-storage": gibibytes(unsized.ephemeral_storage_gib)}
    return LimitRangeItemArgs(
        type="Container",
        default={"memory": gibibytes(unsized.memory_limit_gib)} | disk,
        default_request={
            "cpu": cores(unsized.cpu_request),
            "memory": gibibytes(unsized.memory_request_gib),
        }
        | disk,
    )


def _claim(volume: Volume, plan: Plan) -> PersistentVolumeClaimSpecArgs:
    return PersistentVolumeClaimSpecArgs(
        access_modes=["ReadWriteOnce"],
        storage_class_name=plan.node.storage_class,
        resources=VolumeResourceRequirementsArgs(requests={"storage": gibibytes(volume.size_gib)}),
    )
