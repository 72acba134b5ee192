"""Phase 3: LiteLLM, one endpoint for all models."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    ExecActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Service,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from synapse.components import engine_command, ollama
from synapse.components.gateway_audio import audio_modules
from synapse.components.gateway_config import (
    KEY_VARIABLE,
    content_name,
    gateway_config,
    rendered,
)
from synapse.components.labels import SKIP_AWAIT, labels, metadata
from synapse.components.network import admit, callers_of, let_callers_out, policy, reach, traefik
from synapse.components.pods import (
    PULL_POLICY,
    SCRATCH,
    container_security,
    environment,
    http_probe,
    pod_security,
    resources,
    scratch,
    secret_variable,
)
from synapse.components.restart import Restart, RestartArgs
from synapse.components.secrets import Omit, SecretName, Secrets, store
from synapse.components.services import service_spec, url
from synapse.components.waiting import ROLLOUT_SECONDS, wait_up_to
from synapse.names import GATEWAY, GATEWAY_APP, OLLAMA
from synapse.plan.model import Plan

PORT = 4000
SERVICE_PORT = 8000
_UID = 65534  # nobody, as in the image
_CONFIG = "/config"
_CONFIG_FILE = "config.yaml"
_KEY_SECRET, _KEY = "litellm-master-key", "key"
# Requests that are under way at a restart may end; new ones go to the other replica first.
_LEAVE_SERVICE_SECONDS, _DRAIN_SECONDS = 5, 120


@dataclass(frozen=True)
class GatewayArgs:
    """The plan, and the secrets with the gateway's key among them."""

    plan: Plan
    secrets: Secrets


class Gateway(pulumi.ComponentResource):
    """LiteLLM's Deployment, config, key, Service, disruption budget, restart and NetworkPolicy.

    Attributes:
        url: address of the gateway inside the cluster.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:gateway:Gateway", name, None, opts)
        plan = args.plan
        child = pulumi.ResourceOptions(parent=self)
        content = rendered(gateway_config(plan))
        modules = audio_modules(plan)
        config_name = content_name("litellm-config", "".join([content, *modules.values()]))
        config = ConfigMap(
            f"{name}-config",
            metadata=metadata(config_name, plan.namespace, GATEWAY_APP),
            data={_CONFIG_FILE: content, **modules},
            immutable=True,
            opts=child,
        )
        key_secret = _key(name, args, child)
        NetworkPolicy(
            f"{name}-policy",
            metadata=metadata(GATEWAY, plan.namespace, GATEWAY_APP),
            spec=policy(
                {"app": GATEWAY_APP},
                admit([traefik(), *callers_of(GATEWAY, plan.callers)], PORT),
                [reach(OLLAMA, ollama.PORT), reach(plan.engine.service, engine_command.PORT)],
            ),
            opts=child,
        )
        let_callers_out(name, plan, child, service=GATEWAY, app=GATEWAY_APP, port=PORT)
        PodDisruptionBudget(
            f"{name}-budget",
            metadata=metadata(GATEWAY, plan.namespace, GATEWAY_APP, annotations=SKIP_AWAIT),
            spec=PodDisruptionBudgetSpecArgs(
                max_unavailable=1,
                selector=LabelSelectorArgs(match_labels={"app": GATEWAY_APP}),
            ),
            opts=child,
        )
        Deployment(
            f"{name}-deployment",
            metadata=metadata(GATEWAY, plan.namespace, GATEWAY_APP),
            spec=_deployment(plan, config_name, key_secret),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(parent=self, depends_on=[config]),
                wait_up_to(ROLLOUT_SECONDS),
            ),
        )
        Service(
            f"{name}-service",
            metadata=metadata(GATEWAY, plan.namespace, GATEWAY_APP, annotations=SKIP_AWAIT),
            spec=service_spec(GATEWAY_APP, {"http": (SERVICE_PORT, PORT)}),
            opts=child,
        )
        Restart(f"{name}-restart", RestartArgs(plan), opts=child)
        self.url = pulumi.Output.from_input(url(GATEWAY, plan.namespace, SERVICE_PORT))
        self.register_outputs({"url": self.url})


def _key(name: str, args: GatewayArgs, child: pulumi.ResourceOptions) -> str:
    """Name of the Secret with the gateway's key; without a key it is the operator's to bring."""
    values = {} if args.secrets.gateway_key is None else {_KEY: args.secrets.gateway_key}
    return store(
        f"{name}-key",
        SecretName(_KEY_SECRET, args.plan.namespace, GATEWAY_APP),
        values,
        args.secrets.handling if values else Omit(),
        child,
    )


def _variables() -> dict[str, str]:
    return {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        # No egress: the price list that comes with the program has to do.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_NON_ROOT": "true",
        "LITELLM_UI_PATH": f"{SCRATCH}/ui",
        "LITELLM_ASSETS_PATH": f"{SCRATCH}/assets",
        "HOME": SCRATCH,
    }


def _deployment(plan: Plan, config_name: str, key_secret: str) -> DeploymentSpecArgs:
    workload = plan.workload(GATEWAY)
    scratch_volume, scratch_mount = scratch()
    leave = ["python3", "-c", f"import time; time.sleep({_LEAVE_SERVICE_SECONDS})"]
    container = ContainerArgs(
        name="litellm",
        image=plan.gateway.image,
        image_pull_policy=PULL_POLICY,
        args=[f"--config={_CONFIG}/{_CONFIG_FILE}", f"--port={PORT}", "--num_workers=1"],
        env=[
            *environment(_variables()),
            secret_variable(KEY_VARIABLE, key_secret, _KEY),
        ],
        ports=[ContainerPortArgs(name="http", container_port=PORT)],
        resources=resources(workload.pod),
        security_context=container_security(),
        volume_mounts=[
            scratch_mount,
            VolumeMountArgs(name="config", mount_path=_CONFIG, read_only=True),
        ],
        lifecycle=LifecycleArgs(pre_stop=LifecycleHandlerArgs(exec_=ExecActionArgs(command=leave))),
        # /health would ask every model; these two ask none.
        startup_probe=http_probe(
            "/health/readiness", PORT, period_seconds=2, timeout_seconds=5, failures=60
        ),
        readiness_probe=http_probe(
            "/health/readiness", PORT, period_seconds=5, timeout_seconds=5, failures=3
        ),
        liveness_probe=http_probe(
            "/health/liveliness", PORT, period_seconds=15, timeout_seconds=10, failures=4
        ),
    )
    return DeploymentSpecArgs(
        replicas=workload.replicas,
        strategy=DeploymentStrategyArgs(
            type="RollingUpdate",
            rolling_update=RollingUpdateDeploymentArgs(max_unavailable=0, max_surge=workload.surge),
        ),
        progress_deadline_seconds=ROLLOUT_SECONDS,
        selector=LabelSelectorArgs(match_labels={"app": GATEWAY_APP}),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(GATEWAY_APP)),
            spec=PodSpecArgs(
                containers=[container],
                volumes=[
                    scratch_volume,
                    VolumeArgs(
                        name="config", config_map=ConfigMapVolumeSourceArgs(name=config_name)
                    ),
                ],
                security_context=pod_security(_UID),
                termination_grace_period_seconds=_DRAIN_SECONDS,
                automount_service_account_token=False,
                enable_service_links=False,
            ),
        ),
    )
