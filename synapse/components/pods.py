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
    VolumeArgs,
    VolumeMountArgs,
)

from synapse.components.quantities import cores, gibibytes
from synapse.names import GPU_RESOURCE
from synapse.plan.model import PodResources

PULL_POLICY = "IfNotPresent"
# A user of no account on any node, for images that run as anybody.
ANY_USER = 65532
SCRATCH = "/tmp"  # noqa: S108  a volume of the pod, not of the node


def pod_security(uid: int) -> PodSecurityContextArgs:
    """Run as this user, with the volume's files in its group."""
    return PodSecurityContextArgs(
        run_as_user=uid,
        run_as_group=uid,
        run_as_non_root=uid != 0,
        fs_group=uid,
        # A model volume holds few, large files; changing their group at each start is wasted.
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
    )


def container_security(*, read_only_root: bool = True) -> SecurityContextArgs:
    """No capability, no way to gain one."""
    return SecurityContextArgs(
        allow_privilege_escalation=False,
        capabilities=CapabilitiesArgs(drop=["ALL"]),
        read_only_root_filesystem=read_only_root,
    )


def resources(pod: PodResources, gpus: int = 0) -> ResourceRequirementsArgs:
    """Requests and limits as the plan has them."""
    requests = {"cpu": cores(pod.cpu_request), "memory": gibibytes(pod.memory_request_gib)}
    limits = {"cpu": cores(pod.cpu_limit), "memory": gibibytes(pod.memory_limit_gib)}
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


def scratch() -> tuple[VolumeArgs, VolumeMountArgs]:
    """A writable place that ends with the pod."""
    return (
        VolumeArgs(name="scratch", empty_dir=EmptyDirVolumeSourceArgs()),
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


def pull_secrets(name: str | None) -> list[LocalObjectReferenceArgs]:
    """The registry's pull secret, if the config names one."""
    return [LocalObjectReferenceArgs(name=name)] if name else []
