"""Shapes that all pods share: least privilege, sizes from the plan, writable places."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    EmptyDirVolumeSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    HTTPGetActionArgs,
    LocalObjectReferenceArgs,
    PersistentVolumeClaimVolumeSourceArgs,
    PodSecurityContextArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecretKeySelectorArgs,
    SecurityContextArgs,
    TopologySpreadConstraintArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs

from synapse.components.quantities import cores, gibibytes
from synapse.names import GPU_RESOURCE
from synapse.plan.model import PodResources

PULL_POLICY = "IfNotPresent"
# A user of no account on any node, for images that run as anybody. Pods that share a volume share
# it: what one of them has written is the other's to read.
ANY_USER = 65532
SCRATCH = "/tmp"  # noqa: S108  a volume of the pod, not of the node


def pod_security(uid: int) -> PodSecurityContextArgs:
    """Run as this user, with the volume's files in its group."""
    return PodSecurityContextArgs(
        run_as_user=uid,
        run_as_group=uid,
        run_as_non_root=True,
        fs_group=uid,
        # A model volume holds few, large files; changing their group at each start is wasted.
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
    )


def container_security() -> SecurityContextArgs:
    """No capability, no way to gain one, and nothing to write on but volumes."""
    return SecurityContextArgs(
        allow_privilege_escalation=False,
        capabilities=CapabilitiesArgs(drop=["ALL"]),
        read_only_root_filesystem=True,
    )


def resources(pod: PodResources, gpus: int = 0) -> ResourceRequirementsArgs:
    """Requests and limits as the plan has them."""
    disk = {"ephemeral-storage": gibibytes(pod.ephemeral_storage_gib)}
    requests = {"cpu": cores(pod.cpu_request), "memory": gibibytes(pod.memory_request_gib)} | disk
    limits = {"cpu": cores(pod.cpu_limit), "memory": gibibytes(pod.memory_limit_gib)} | disk
    if gpus:
        limits[GPU_RESOURCE] = requests[GPU_RESOURCE] = str(gpus)
    return ResourceRequirementsArgs(requests=requests, limits=limits)


def environment(values: Mapping[str, str]) -> list[EnvVarArgs]:
    """Plain variables, in the order given."""
    return [EnvVarArgs(name=name, value=value) for name, value in values.items()]


def secret_variable(
    name: str, secret: pulumi.Input[str], key: str, *, optional: bool = False
) -> EnvVarArgs:
    """A variable whose value stands in a Secret."""
    return EnvVarArgs(
        name=name,
        value_from=EnvVarSourceArgs(
            secret_key_ref=SecretKeySelectorArgs(name=secret, key=key, optional=optional)
        ),
    )


def scratch(pod: PodResources) -> tuple[VolumeArgs, VolumeMountArgs]:
    """A writable place that ends with the pod."""
    source = EmptyDirVolumeSourceArgs(size_limit=gibibytes(pod.ephemeral_storage_gib))
    return (
        VolumeArgs(name="scratch", empty_dir=source),
        VolumeMountArgs(name="scratch", mount_path=SCRATCH),
    )


def claimed(
    claim: str, path: str, *, read_only: bool = False
) -> tuple[VolumeArgs, VolumeMountArgs]:
    """A claim of the foundation, mounted."""
    source = PersistentVolumeClaimVolumeSourceArgs(claim_name=claim)
    return (
        VolumeArgs(name=claim, persistent_volume_claim=source),
        VolumeMountArgs(name=claim, mount_path=path, read_only=read_only),
    )


def http_probe(
    path: str,
    port: int,
    *,
    period_seconds: int,
    timeout_seconds: int,
    failures: int,
) -> ProbeArgs:
    """A probe by HTTP GET."""
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=path, port=port),
        period_seconds=period_seconds,
        timeout_seconds=timeout_seconds,
        failure_threshold=failures,
    )


def apart(app: str) -> list[TopologySpreadConstraintArgs]:
    """On different nodes as far as there are some; else beside each other.

    Pods of one revision are counted, or the one that is about to leave would push its successor
    onto the node of another.
    """
    return [
        TopologySpreadConstraintArgs(
            topology_key="kubernetes.io/hostname",
            max_skew=1,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=LabelSelectorArgs(match_labels={"app": app}),
            match_label_keys=["pod-template-hash"],
        )
    ]


def pull_secrets(name: str | None) -> list[LocalObjectReferenceArgs]:
    """The registry's pull secret, if the config names one."""
    return [LocalObjectReferenceArgs(name=name)] if name else []
