"""GPU pods wait for the memory that they need: measured in the pod, before each start.

An init container waits first, so that the pod shows what it waits for. It does not run again when
a container restarts: the same script stands before the program itself.
"""

import math
from dataclasses import dataclass
from importlib import resources as package_files
from typing import Final

import pulumi
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from synapse.components.gateway_config import content_name
from synapse.components.labels import metadata
from synapse.components.pods import (
    PULL_POLICY,
    container_security,
    environment,
    resources,
    scratch,
)
from synapse.plan.model import PodResources, Workload

_FOLDER: Final = "/synapse"
_SCRIPT: Final = "wait-for-vram"
_DEADLINE_SECONDS: Final = 300
_SHELL: Final = PodResources(
    cpu_request=0.05,
    cpu_limit=0.5,
    memory_request_gib=0.0625,
    memory_limit_gib=0.25,
    ephemeral_storage_gib=0.25,
)
_MIB_A_GIB: Final = 1024

DRIVER: Final = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
"""What the NVIDIA runtime mounts: `utility` is nvidia-smi."""


@dataclass(frozen=True)
class VramWait:
    """The script for one workload, and how its pod uses it."""

    workload: Workload
    config_name: str

    @property
    def volume(self) -> VolumeArgs:
        """The script, as a volume of the pod."""
        source = ConfigMapVolumeSourceArgs(name=self.config_name, default_mode=0o555)
        return VolumeArgs(name=_SCRIPT, config_map=source)

    @property
    def mount(self) -> VolumeMountArgs:
        """Where the script lies in each container."""
        return VolumeMountArgs(name=_SCRIPT, mount_path=_FOLDER, read_only=True)

    def before(self, command: list[str]) -> list[str]:
        """A command that starts only into memory that is free."""
        needed_mib = math.ceil(self.workload.vram_gib * _MIB_A_GIB)
        wait = ["/bin/sh", f"{_FOLDER}/{_SCRIPT}", str(needed_mib), str(_DEADLINE_SECONDS)]
        return [*wait, *command]

    def init_container(self, image: str) -> ContainerArgs:
        """The first wait, in the image that the pod pulls anyway.

        It claims the GPU itself, or it would see none; the pod's claim stays one device.
        """
        _, scratch_mount = scratch(self.workload.pod)
        return ContainerArgs(
            name=_SCRIPT,
            image=image,
            image_pull_policy=PULL_POLICY,
            command=self.before([]),
            env=environment(DRIVER),
            resources=resources(_SHELL, self.workload.gpus),
            security_context=container_security(),
            # What it waits for at last: the end of its log is the reason of its failure.
            termination_message_policy="FallbackToLogsOnError",
            volume_mounts=[self.mount, scratch_mount],
        )


def vram_wait(
    resource_name: str, workload: Workload, opts: pulumi.ResourceOptions
) -> tuple[VramWait, ConfigMap]:
    """Register the script as the workload's ConfigMap, named by its content."""
    content = (
        package_files.files("synapse.components")
        .joinpath("wait_for_vram.sh")
        .read_text(encoding="utf-8")
    )
    name = content_name(f"{workload.name}-{_SCRIPT}", content)
    config = ConfigMap(
        resource_name,
        metadata=metadata(name, workload.namespace, workload.name),
        data={_SCRIPT: content},
        immutable=True,
        opts=opts,
    )
    return VramWait(workload, name), config
