"""NVIDIA's device plugin: how often it offers the GPU, and the plugin itself where it is ours.

Time-slicing isolates no memory: the plan's states and the wait for free memory are what does.
"""

from dataclasses import dataclass
from typing import Final

import pulumi
import yaml
from pulumi_kubernetes.apps.v1 import DaemonSet, DaemonSetSpecArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    HostPathVolumeSourceArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    SeccompProfileArgs,
    TolerationArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from synapse.components.labels import labels, metadata
from synapse.components.pods import PULL_POLICY, container_security, environment, resources
from synapse.components.vram import DRIVER
from synapse.names import DEVICE_PLUGIN, GPU_RESOURCE, SYSTEM_NAMESPACE
from synapse.plan.model import Plan

CONFIG_NAME: Final = f"{DEVICE_PLUGIN}-config"
_CONFIG_FILE, _CONFIG = "config.yaml", "/config"
_KUBELET: Final = "/var/lib/kubelet/device-plugins"


def needs_device_plugin(plan: Plan) -> bool:
    """Whether the stack has anything to say about the plugin."""
    return plan.gpu.device_plugin_namespace is not None


@dataclass(frozen=True)
class DevicePluginArgs:
    """The plan: how many claims are offered, and whose plugin it is."""

    plan: Plan


class DevicePlugin(pulumi.ComponentResource):
    """The plugin's config for time-slicing, and the plugin if nobody else runs one."""

    def __init__(
        self, name: str, args: DevicePluginArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:gpu:DevicePlugin", name, None, opts)
        plan = args.plan
        child = pulumi.ResourceOptions(parent=self)
        # A fixed name: a plugin of somebody else's is told it once.
        config = ConfigMap(
            f"{name}-config",
            metadata=metadata(CONFIG_NAME, SYSTEM_NAMESPACE, DEVICE_PLUGIN),
            data={_CONFIG_FILE: plugin_config(plan)},
            opts=child,
        )
        if plan.gpu.device_plugin == "stack":
            DaemonSet(
                f"{name}-daemonset",
                metadata=metadata(DEVICE_PLUGIN, SYSTEM_NAMESPACE, DEVICE_PLUGIN),
                spec=_daemon_set(plan),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[config]),
            )
        self.register_outputs({})


def plugin_config(plan: Plan) -> str:
    """The plugin's own file: without sharing the device is offered once."""
    offered: dict[str, object] = {"version": "v1"}
    if plan.gpu.sharing == "concurrent":
        offered["sharing"] = {
            "timeSlicing": {
                # Two claims of one pod would be no more of the GPU than one.
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": GPU_RESOURCE, "replicas": plan.gpu.devices}],
            }
        }
    return yaml.safe_dump(offered, sort_keys=False)


def _daemon_set(plan: Plan) -> DaemonSetSpecArgs:
    container = ContainerArgs(
        name="device-plugin",
        image=plan.gpu.device_plugin_image,
        image_pull_policy=PULL_POLICY,
        env=environment(
            {
                "CONFIG_FILE": f"{_CONFIG}/{_CONFIG_FILE}",
                "FAIL_ON_INIT_ERROR": "false",  # a node without a GPU is no error
                **DRIVER,
            }
        ),
        resources=resources(plan.workload(DEVICE_PLUGIN).pod),
        security_context=container_security(),
        volume_mounts=[
            VolumeMountArgs(name="kubelet", mount_path=_KUBELET),
            VolumeMountArgs(name="config", mount_path=_CONFIG, read_only=True),
        ],
    )
    return DaemonSetSpecArgs(
        selector=LabelSelectorArgs(match_labels={"app": DEVICE_PLUGIN}),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(DEVICE_PLUGIN)),
            spec=PodSpecArgs(
                runtime_class_name=plan.gpu.runtime_class,
                priority_class_name="system-node-critical",
                tolerations=[TolerationArgs(key=GPU_RESOURCE, operator="Exists")],
                containers=[container],
                volumes=[
                    # The kubelet listens there: the one folder of the node that the stack needs.
                    VolumeArgs(name="kubelet", host_path=HostPathVolumeSourceArgs(path=_KUBELET)),
                    VolumeArgs(
                        name="config", config_map=ConfigMapVolumeSourceArgs(name=CONFIG_NAME)
                    ),
                ],
                security_context=PodSecurityContextArgs(
                    run_as_user=0, seccomp_profile=SeccompProfileArgs(type="RuntimeDefault")
                ),
                automount_service_account_token=False,
                enable_service_links=False,
            ),
        ),
    )
