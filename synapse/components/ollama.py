"""Phase 1: Ollama on the CPU, and a Job for each model that it pulls."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    ContainerPortArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Service,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from synapse.components.download import DownloadArgs, download
from synapse.components.labels import (
    SKIP_AWAIT,
    labels,
    metadata,
)
from synapse.components.network import (
    admit,
    callers_of,
    let_callers_out,
    pods_with,
    policy,
    reach_internet,
    traefik,
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
    resources,
    scratch,
)
from synapse.components.priority import Priority, class_name
from synapse.components.services import service_spec, url
from synapse.components.waiting import ROLLOUT_SECONDS, wait_up_to
from synapse.names import GATEWAY_APP, MODELS_ANNOTATION, OLLAMA, OLLAMA_PULL
from synapse.plan.disk import OLLAMA_CLAIM
from synapse.plan.model import Plan

PORT = 11434
_MODELS = "/models"

# On the CPU in fact: the image asks for every GPU, and the node may hand them out.
_SHARED_ENVIRONMENT = {
    # A start would delete what another server on the volume is still downloading.
    "OLLAMA_NOPRUNE": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "NVIDIA_VISIBLE_DEVICES": "void",
    "OLLAMA_VULKAN": "0",
    "HOME": SCRATCH,
}

# The server of the Job is its own: `pull` makes a *server* download, and the one that answers
# requests is not let out. Layers that are there already, whole or in part, are not fetched again.
_PULL_SCRIPT = """\
ollama serve &
server=$!
trap 'kill "$server"' EXIT
for attempt in $(seq 60); do
  ollama list >/dev/null 2>&1 && break
  kill -0 "$server" || exit 1
  sleep 1
done
ollama pull "$MODEL"
"""


@dataclass(frozen=True)
class OllamaArgs:
    """The plan, whose part about Ollama has all sizes, and what its server waits for."""

    plan: Plan
    lower: tuple[pulumi.Resource, ...]


class Ollama(pulumi.ComponentResource):
    """Ollama's Deployment, Service, pull Jobs and NetworkPolicies.

    Attributes:
        url: address of the API inside the cluster.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: OllamaArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:ollama:Ollama", name, None, opts)
        plan = args.plan
        child = pulumi.ResourceOptions(parent=self)
        # What takes longest is asked for first.
        for model in plan.ollama.models:
            download(f"{name}-pull-{_slug(model.tag)}", _pull(plan, model.tag), child)
        self._policies(name, plan, child)
        Deployment(
            f"{name}-deployment",
            metadata=metadata(
                OLLAMA, plan.namespace, OLLAMA, annotations={MODELS_ANNOTATION: _tags(plan)}
            ),
            spec=_deployment(plan),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(parent=self, depends_on=[*args.lower]),
                wait_up_to(ROLLOUT_SECONDS),
            ),
        )
        Service(
            f"{name}-service",
            metadata=metadata(OLLAMA, plan.namespace, OLLAMA, annotations=SKIP_AWAIT),
            spec=service_spec(OLLAMA, {"http": (PORT, PORT)}),
            opts=child,
        )
        self.url = pulumi.Output.from_input(url(OLLAMA, plan.namespace, PORT))
        self.register_outputs({"url": self.url})

    @staticmethod
    def _policies(name: str, plan: Plan, child: pulumi.ResourceOptions) -> None:
        through_ingress = [traefik()] if plan.ollama.ingress_host else []
        NetworkPolicy(
            f"{name}-policy",
            metadata=metadata(OLLAMA, plan.namespace, OLLAMA),
            spec=policy(
                {"app": OLLAMA},
                admit(
                    [pods_with(GATEWAY_APP), *callers_of(OLLAMA, plan.callers), *through_ingress],
                    PORT,
                ),
            ),
            opts=child,
        )
        let_callers_out(name, plan, child, service=OLLAMA, app=OLLAMA, port=PORT)
        NetworkPolicy(
            f"{name}-pull-policy",
            metadata=metadata(OLLAMA_PULL, plan.namespace, OLLAMA_PULL),
            spec=policy({"app": OLLAMA_PULL}, egress=[reach_internet()]),
            opts=child,
        )


def _pull(plan: Plan, tag: str) -> DownloadArgs:
    told = {
        "MODEL": tag,
        "OLLAMA_HOST": f"127.0.0.1:{PORT}",
        "OLLAMA_MODELS": _MODELS,
        **_SHARED_ENVIRONMENT,
    }
    return DownloadArgs(
        app=OLLAMA_PULL,
        job=f"{OLLAMA_PULL}-{_slug(tag)}",
        namespace=plan.namespace,
        model=tag,
        image=plan.ollama.image,
        command=["/bin/sh", "-c", _PULL_SCRIPT],
        variables=environment(told),
        claim=OLLAMA_CLAIM,
        mount_path=_MODELS,
        pod=plan.workload(OLLAMA_PULL).pod,
    )


def _slug(tag: str) -> str:
    """A model's tag as part of an object's name."""
    return "".join(char if char.isalnum() else "-" for char in tag.lower())


def _tags(plan: Plan) -> str:
    return ",".join(model.tag for model in plan.ollama.models)


def _server_environment(plan: Plan) -> dict[str, str]:
    return {
        "OLLAMA_HOST": f"0.0.0.0:{PORT}",
        "OLLAMA_MODELS": _MODELS,
        "OLLAMA_MAX_LOADED_MODELS": str(plan.ollama.max_loaded_models),
        "OLLAMA_NUM_PARALLEL": str(plan.ollama.num_parallel),
        "OLLAMA_CONTEXT_LENGTH": str(plan.ollama.context_tokens),
        "OLLAMA_KEEP_ALIVE": plan.ollama.keep_alive,
        **_SHARED_ENVIRONMENT,
    }


def _deployment(plan: Plan) -> DeploymentSpecArgs:
    pod = plan.workload(OLLAMA).pod
    models, models_mount = claimed(OLLAMA_CLAIM, _MODELS)
    scratch_volume, scratch_mount = scratch(pod)
    container = ContainerArgs(
        name="ollama",
        image=plan.ollama.image,
        image_pull_policy=PULL_POLICY,
        env=environment(_server_environment(plan)),
        ports=[ContainerPortArgs(name="http", container_port=PORT)],
        resources=resources(pod),
        security_context=container_security(),
        volume_mounts=[models_mount, scratch_mount],
        startup_probe=http_probe(
            "/api/version", PORT, period_seconds=2, timeout_seconds=5, failures=30
        ),
        readiness_probe=http_probe(
            "/api/version", PORT, period_seconds=5, timeout_seconds=5, failures=3
        ),
        liveness_probe=http_probe("/", PORT, period_seconds=15, timeout_seconds=10, failures=6),
    )
    return DeploymentSpecArgs(
        replicas=plan.workload(OLLAMA).replicas,
        # Two pods would hold the RAM twice.
        strategy=DeploymentStrategyArgs(type="Recreate"),
        progress_deadline_seconds=ROLLOUT_SECONDS,
        selector=LabelSelectorArgs(match_labels={"app": OLLAMA}),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=labels(OLLAMA)),
            spec=PodSpecArgs(
                containers=[container],
                volumes=[models, scratch_volume],
                priority_class_name=class_name(plan.namespace, Priority.MODELS),
                security_context=pod_security(ANY_USER),
                automount_service_account_token=False,
                enable_service_links=False,
            ),
        ),
    )
