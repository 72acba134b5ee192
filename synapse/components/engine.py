"""Phase 2: the engine on the GPU, and the Job that fills its cache."""

from dataclasses import dataclass

import pulumi
from pulumi_command.local import Command
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Service,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from synapse.components.download import DownloadArgs, download
from synapse.components.engine_command import CACHE, HF_HOME, PORT, arguments, command, variables
from synapse.components.labels import SKIP_AWAIT, metadata
from synapse.components.leaving import (
    GRACE_SECONDS,
    before_end,
    served_labels,
    until_engine_is_idle,
)
from synapse.components.network import (
    admit,
    callers_of,
    let_callers_out,
    pods_with,
    policy,
    reach_internet,
)
from synapse.components.pods import (
    ANY_USER,
    PULL_POLICY,
    SCRATCH,
    claimed,
    container_security,
    environment,
    http_probe,
    pod_security,
    pull_secrets,
    resources,
    scratch,
    secret_variable,
)
from synapse.components.priority import Priority, class_name
from synapse.components.secrets import SecretName, Secrets, store
from synapse.components.services import service_spec, url
from synapse.components.vram import DRIVER, VramWait, vram_wait
from synapse.components.waiting import REPLICAS_ARE_THE_SWAPS, wait_up_to
from synapse.names import ENGINE_PULL, GATEWAY_APP
from synapse.plan.disk import ENGINE_CLAIM
from synapse.plan.model import Plan

_GUIDE_PORT = 8001
_STARTUP_PERIOD_SECONDS, _STARTUP_FAILURES = 30, 60
_START_SECONDS = _STARTUP_PERIOD_SECONDS * _STARTUP_FAILURES
# Room for the image's own pull before the first probe counts.
_DEADLINE_SECONDS = _START_SECONDS + 600
_TOKEN_SECRET, _TOKEN_KEY = "huggingface-token", "token"

# Some repositories hold the weights twice; the engine reads safetensors alone.
_PULL_SCRIPT = """\
import os
from huggingface_hub import snapshot_download
print(snapshot_download(os.environ["MODEL"], ignore_patterns=["original/*", "*.pth", "*.gguf"]))
"""


@dataclass(frozen=True)
class EngineArgs:
    """The plan, what the server waits for, the secrets, and what builds the image, if anything."""

    plan: Plan
    lower: tuple[pulumi.Resource, ...]
    secrets: Secrets
    build_command: str | None


class Engine(pulumi.ComponentResource):
    """The engine's Deployment, Service, download Job, token and NetworkPolicies.

    Attributes:
        url: address of the OpenAI-compatible API inside the cluster.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: EngineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:engine:Engine", name, None, opts)
        plan, engine = args.plan, args.plan.engine
        child = pulumi.ResourceOptions(parent=self)
        built = _image(name, args, child)
        after_image = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=built))
        downloaded = download(f"{name}-pull", _pull(plan, _token(name, args, child)), after_image)
        _policies(name, plan, child)
        wait, script = vram_wait(f"{name}-wait", plan.workload(engine.service), child)
        Deployment(
            f"{name}-deployment",
            metadata=metadata(engine.service, plan.namespace, engine.service),
            spec=_deployment(plan, wait),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[*args.lower, *built, downloaded, script],
                    ignore_changes=REPLICAS_ARE_THE_SWAPS,
                ),
                wait_up_to(_DEADLINE_SECONDS),
            ),
        )
        Service(
            f"{name}-service",
            metadata=metadata(
                engine.service, plan.namespace, engine.service, annotations=SKIP_AWAIT
            ),
            spec=service_spec(
                engine.service,
                {"http": (PORT, PORT), "http-guide": (_GUIDE_PORT, PORT)},
                drains=True,
            ),
            opts=child,
        )
        self.url = pulumi.Output.from_input(url(engine.service, plan.namespace, PORT))
        self.register_outputs({"url": self.url})


def _image(name: str, args: EngineArgs, child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Build and push the image, where the config asks for it."""
    if args.build_command is None:
        return []
    return [
        Command(
            f"{name}-image",
            create=args.build_command,
            triggers=[args.plan.engine.image],
            opts=child,
        )
    ]


def _token(name: str, args: EngineArgs, child: pulumi.ResourceOptions) -> str | None:
    """Name of the Secret with the Hugging Face token, if there is a token."""
    if args.secrets.hf_token is None:
        return None
    return store(
        f"{name}-token",
        SecretName(_TOKEN_SECRET, args.plan.namespace, ENGINE_PULL),
        {_TOKEN_KEY: args.secrets.hf_token},
        args.secrets.handling,
        child,
    )


def _pull(plan: Plan, token_secret: str | None) -> DownloadArgs:
    told = {
        "MODEL": plan.engine.repository,
        "HF_HOME": HF_HOME,
        "HOME": SCRATCH,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    token = [secret_variable("HF_TOKEN", token_secret, _TOKEN_KEY)] if token_secret else []
    return DownloadArgs(
        app=ENGINE_PULL,
        job=ENGINE_PULL,
        namespace=plan.namespace,
        model=plan.engine.repository,
        image=plan.engine.image,
        command=["python3", "-u", "-c", _PULL_SCRIPT],
        variables=[*environment(told), *token],
        claim=ENGINE_CLAIM,
        mount_path=CACHE,
        pod=plan.workload(ENGINE_PULL).pod,
        pull_secret=plan.image_pull_secret,
    )


def _policies(name: str, plan: Plan, child: pulumi.ResourceOptions) -> None:
    service = plan.engine.service
    NetworkPolicy(
        f"{name}-policy",
        metadata=metadata(service, plan.namespace, service),
        spec=policy(
            {"app": service},
            admit([pods_with(GATEWAY_APP), *callers_of(service, plan.callers)], PORT),
        ),
        opts=child,
    )
    let_callers_out(name, plan, child, service=service, app=service, port=PORT)
    NetworkPolicy(
        f"{name}-pull-policy",
        metadata=metadata(ENGINE_PULL, plan.namespace, ENGINE_PULL),
        spec=policy({"app": ENGINE_PULL}, egress=[reach_internet()]),
        opts=child,
    )


def _deployment(plan: Plan, wait: VramWait) -> DeploymentSpecArgs:
    engine = plan.engine
    workload = plan.workload(engine.service)
    cache, cache_mount = claimed(ENGINE_CLAIM, CACHE)
    scratch_volume, scratch_mount = scratch(workload.pod)
    container = ContainerArgs(
        name=engine.kind,
        image=engine.image,
        image_pull_policy=PULL_POLICY,
        command=wait.before(command(engine)),
        args=arguments(engine),
        env=environment(variables(engine) | DRIVER),
        ports=[ContainerPortArgs(name="http", container_port=PORT)],
        resources=resources(workload.pod, workload.gpus),
        security_context=container_security(),
        volume_mounts=[
            cache_mount,
            scratch_mount,
            VolumeMountArgs(name="shared-memory", mount_path="/dev/shm"),  # noqa: S108  the pod's own
            wait.mount,
        ],
        lifecycle=before_end(until_engine_is_idle(engine.kind, PORT)),
        startup_probe=http_probe(
            "/health",
            PORT,
            period_seconds=_STARTUP_PERIOD_SECONDS,
            timeout_seconds=10,
            failures=_STARTUP_FAILURES,
        ),
        readiness_probe=http_probe(
            "/health", PORT, period_seconds=10, timeout_seconds=10, failures=3
        ),
        # Under load an answer may take 40 s; a restart would take minutes.
        liveness_probe=http_probe(
            "/health", PORT, period_seconds=30, timeout_seconds=60, failures=5
        ),
    )
    return DeploymentSpecArgs(
        replicas=workload.first_replicas,
        # A second pod would wait for the GPU that the first one holds.
        strategy=DeploymentStrategyArgs(type="Recreate"),
        progress_deadline_seconds=_DEADLINE_SECONDS,
        selector=LabelSelectorArgs(match_labels={"app": engine.service}),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=served_labels(engine.service)),
            spec=PodSpecArgs(
                runtime_class_name=plan.gpu.runtime_class,
                init_containers=[wait.init_container(engine.image)],
                containers=[container],
                volumes=[
                    cache,
                    scratch_volume,
                    wait.volume,
                    VolumeArgs(
                        name="shared-memory",
                        empty_dir=EmptyDirVolumeSourceArgs(medium="Memory", size_limit="2Gi"),
                    ),
                ],
                image_pull_secrets=pull_secrets(plan.image_pull_secret),
                priority_class_name=class_name(plan.namespace, Priority.MODELS),
                security_context=pod_security(ANY_USER),
                termination_grace_period_seconds=GRACE_SECONDS,
                automount_service_account_token=False,
                # A Service called `vllm` in the namespace would set VLLM_PORT.
                enable_service_links=False,
            ),
        ),
    )
