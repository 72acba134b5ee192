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
from synapse.components.gateway_config import (
    CONFIG_FILE,
    INSIDE,
    ROUTES_FILE,
    config_files,
    content_name,
    inside_files,
)
from synapse.components.gateway_keys import CURRENT, PREVIOUS, gateway_keys
from synapse.components.labels import SKIP_AWAIT, labels, metadata
from synapse.components.network import admit, callers_of, let_callers_out, policy, reach, traefik
from synapse.components.pods import (
    PULL_POLICY,
    SCRATCH,
    apart,
    container_security,
    environment,
    http_probe,
    pod_security,
    resources,
    scratch,
    secret_variable,
)
from synapse.components.priority import Priority, class_name
from synapse.components.restart import Restart, RestartArgs
from synapse.components.secrets import Omit, SecretName, Secrets, store
from synapse.components.services import service_spec, url
from synapse.components.waiting import ROLLOUT_SECONDS, wait_up_to
from synapse.names import GATEWAY, GATEWAY_APP, OLLAMA
from synapse.plan.model import Plan

PORT = 4000
SERVICE_PORT = 8000
_UID = 65534  # nobody, as in the image
_CONFIG, _INSIDE = "/config", "/inside"
_LEAVING = f"{SCRATCH}/leaving"
_KEY_VERSION = "synapse/key-version"
KEY_VARIABLES = {"LITELLM_MASTER_KEY": CURRENT, "SYNAPSE_PREVIOUS_KEY": PREVIOUS}
_KEY_SECRET = "litellm-master-key"  # noqa: S105  its name
# Requests that are under way at a restart may end; new ones go to the other replica first.
_LEAVE_SERVICE_SECONDS, _END_SECONDS = 5, 10
# Traefik and Go clients reuse a connection that idled up to 90 s: the server has to keep it longer.
_KEEP_ALIVE_SECONDS = 120
# vLLM closes a connection that idled for 5 s: one that is about to be closed is not to be reused.
_BACKEND_KEEP_ALIVE_SECONDS = 4


@dataclass(frozen=True)
class GatewayArgs:
    """The plan, what the server waits for, and the secrets with the gateway's key among them."""

    plan: Plan
    lower: tuple[pulumi.Resource, ...]
    secrets: Secrets


class Gateway(pulumi.ComponentResource):
    """LiteLLM's Deployment, config, key, Service, disruption budget, restart and NetworkPolicy.

    Attributes:
        url: address of the gateway inside the cluster.
        generated_key: what callers send, as a secret; None where the operator chose the key.
    """

    url: pulumi.Output[str]
    generated_key: pulumi.Output[str] | None

    def __init__(
        self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:gateway:Gateway", name, None, opts)
        plan = args.plan
        child = pulumi.ResourceOptions(parent=self)
        config = _config_map(f"{name}-config", "litellm-config", config_files(plan), plan, child)
        inside = _config_map(f"{name}-inside", "litellm-inside", inside_files(), plan, child)
        keys = _keys(name, args, child)
        key_secret = store(
            f"{name}-keys",
            SecretName(_KEY_SECRET, plan.namespace, GATEWAY_APP),
            keys,
            args.secrets.handling,
            child,
        )
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
            spec=_deployment(plan, config.name, inside.name, key_secret),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    parent=self, depends_on=[*args.lower, config.made, inside.made]
                ),
                wait_up_to(ROLLOUT_SECONDS),
            ),
        )
        Service(
            f"{name}-service",
            metadata=metadata(GATEWAY, plan.namespace, GATEWAY_APP, annotations=SKIP_AWAIT),
            spec=service_spec(GATEWAY_APP, _service_ports(plan)),
            opts=child,
        )
        Restart(f"{name}-restart", RestartArgs(plan), opts=child)
        self.url = pulumi.Output.from_input(url(GATEWAY, plan.namespace, SERVICE_PORT))
        self.generated_key = keys.get(CURRENT) if args.secrets.gateway_key is None else None
        self.register_outputs({"url": self.url})


@dataclass(frozen=True)
class _Named:
    """A ConfigMap and its name, which the program knows before the engine does."""

    name: str
    made: ConfigMap


def _config_map(
    resource: str, prefix: str, files: dict[str, str], plan: Plan, opts: pulumi.ResourceOptions
) -> _Named:
    """Files under a name that changes with them: it never changes under a running pod."""
    content = "".join(f"{file}\0{text}\0" for file, text in sorted(files.items()))
    name = content_name(prefix, content)
    made = ConfigMap(
        resource,
        metadata=metadata(name, plan.namespace, GATEWAY_APP),
        data=files,
        immutable=True,
        opts=opts,
    )
    return _Named(name, made)


def _keys(
    name: str, args: GatewayArgs, child: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    """The keys that are accepted; none where the operator brings their Secret."""
    if isinstance(args.secrets.handling, Omit):
        return {}
    return gateway_keys(f"{name}-key", args.plan.gateway.key_version, args.secrets, child)


def variables() -> dict[str, str]:
    """The container's environment, but for its keys."""
    return {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        # No egress: the price list that comes with the program has to do.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_NON_ROOT": "true",
        "LITELLM_UI_PATH": f"{SCRATCH}/ui",
        "LITELLM_ASSETS_PATH": f"{SCRATCH}/assets",
        "DISABLE_ADMIN_UI": "True",
        "HOME": SCRATCH,
        "PYTHONPATH": _INSIDE,
        "LITELLM_WORKER_STARTUP_HOOKS": f"{INSIDE}.start:start",
        "SYNAPSE_ROUTES": f"{_CONFIG}/{ROUTES_FILE}",
        "SYNAPSE_LEAVING": _LEAVING,
        # A request makes thousands of objects; looking for cycles after each 700 is wasted.
        "PYTHON_GC_THRESHOLD": "50000,20,50",
        "AIOHTTP_KEEPALIVE_TIMEOUT": str(_BACKEND_KEEP_ALIVE_SECONDS),
    }


def leave(seconds: float = _LEAVE_SERVICE_SECONDS) -> list[str]:
    """What runs before SIGTERM: callers are sent to the other replicas, and have time to go."""
    script = f"import pathlib, time; pathlib.Path('{_LEAVING}').touch(); time.sleep({seconds:g})"
    return ["python3", "-c", script]


def arguments() -> list[str]:
    """What LiteLLM's own command line is told."""
    return [
        f"--config={_CONFIG}/{CONFIG_FILE}",
        f"--port={PORT}",
        "--num_workers=1",
        f"--keepalive_timeout={_KEEP_ALIVE_SECONDS}",
    ]


def mounts(plan: Plan) -> dict[str, dict[str, str]]:
    """Where the container finds which files."""
    return {_CONFIG: config_files(plan), f"{_INSIDE}/{INSIDE}": inside_files()}


def _service_ports(plan: Plan) -> dict[str, tuple[int, int]]:
    metrics = plan.gateway.metrics_port
    return {"http": (SERVICE_PORT, PORT)} | ({"metrics": (metrics, metrics)} if metrics else {})


def _deployment(
    plan: Plan, config_name: str, inside_name: str, key_secret: str
) -> DeploymentSpecArgs:
    workload, metrics = plan.workload(GATEWAY), plan.gateway.metrics_port
    scratch_volume, scratch_mount = scratch(workload.pod)
    container = ContainerArgs(
        name="litellm",
        image=plan.gateway.image,
        image_pull_policy=PULL_POLICY,
        args=arguments(),
        env=[
            *environment(variables()),
            *(
                secret_variable(variable, key_secret, key, optional=key == PREVIOUS)
                for variable, key in KEY_VARIABLES.items()
            ),
        ],
        ports=[
            ContainerPortArgs(name="http", container_port=PORT),
            *([ContainerPortArgs(name="metrics", container_port=metrics)] if metrics else []),
        ],
        resources=resources(workload.pod),
        security_context=container_security(),
        volume_mounts=[
            scratch_mount,
            VolumeMountArgs(name="config", mount_path=_CONFIG, read_only=True),
            VolumeMountArgs(name="inside", mount_path=f"{_INSIDE}/{INSIDE}", read_only=True),
        ],
        lifecycle=LifecycleArgs(
            pre_stop=LifecycleHandlerArgs(exec_=ExecActionArgs(command=leave()))
        ),
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
            metadata=ObjectMetaArgs(
                labels=labels(GATEWAY_APP),
                # A Secret that changes rolls no pod; a hash of it would tell about the key.
                annotations={_KEY_VERSION: str(plan.gateway.key_version)},
            ),
            spec=PodSpecArgs(
                containers=[container],
                volumes=[
                    scratch_volume,
                    VolumeArgs(
                        name="config", config_map=ConfigMapVolumeSourceArgs(name=config_name)
                    ),
                    VolumeArgs(
                        name="inside", config_map=ConfigMapVolumeSourceArgs(name=inside_name)
                    ),
                ],
                topology_spread_constraints=apart(GATEWAY_APP),
                priority_class_name=class_name(plan.namespace, Priority.GATEWAY),
                security_context=pod_security(_UID),
                termination_grace_period_seconds=(
                    _LEAVE_SERVICE_SECONDS + plan.gateway.request_seconds + _END_SECONDS
                ),
                automount_service_account_token=False,
                enable_service_links=False,
            ),
        ),
    )
