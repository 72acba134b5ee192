"""Phase 4: Speaches on the CPU, Coqui's XTTS in turn with the engine, and the guide's Piper."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from synapse.components.download import download
from synapse.components.labels import SKIP_AWAIT, metadata
from synapse.components.network import (
    admit,
    callers_of,
    let_callers_out,
    pods_with,
    policy,
    reach,
    reach_internet,
)
from synapse.components.services import service_spec, url
from synapse.components.speech_pods import (
    COQUI_PORT,
    PIPER_PORT,
    SPEACHES_PORT,
    coqui,
    piper,
    speaches,
)
from synapse.components.speech_pull import speech_pull
from synapse.components.speech_services import GUIDE_PIPER_PORT, SERVICE_PORT
from synapse.components.vram import vram_wait
from synapse.components.waiting import REPLICAS_ARE_THE_SWAPS, ROLLOUT_SECONDS, wait_up_to
from synapse.names import GATEWAY, GATEWAY_APP, PIPER, SPEECH_PULL, STT, TTS
from synapse.plan.model import Plan

_GUIDE_STT_PORT = 8002  # the deployment guide's


@dataclass(frozen=True)
class SpeechArgs:
    """The plan, whose part about speech says which servers there are, and what they wait for."""

    plan: Plan
    lower: tuple[pulumi.Resource, ...]


class Speech(pulumi.ComponentResource):
    """The speech servers with their Services, the download Job and NetworkPolicies.

    Attributes:
        url: address of Speaches, which is always there, inside the cluster.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: SpeechArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:speech:Speech", name, None, opts)
        plan = args.plan
        child = pulumi.ResourceOptions(parent=self)
        servers = {STT: ("speaches", SPEACHES_PORT)}
        if plan.speech.voice == "xtts-v2":
            servers[TTS] = ("coqui", COQUI_PORT)
        if plan.speech.voice == "piper":
            servers[PIPER] = ("piper", PIPER_PORT)
        _policies(name, plan, {app: port for app, (_, port) in servers.items()}, child)
        downloaded = download(f"{name}-pull", speech_pull(plan), child)
        after = pulumi.ResourceOptions(parent=self, depends_on=[*args.lower, downloaded])
        _speaches(name, plan, child, after)
        if TTS in servers:
            _coqui(name, plan, child, after)
        if PIPER in servers:
            _piper(name, plan, child, after)
        self.url = pulumi.Output.from_input(url(STT, plan.namespace, SERVICE_PORT))
        self.register_outputs({"url": self.url})


def _speaches(
    name: str, plan: Plan, child: pulumi.ResourceOptions, after: pulumi.ResourceOptions
) -> None:
    own = f"{name}-{STT}"
    wait, needed = None, after
    if plan.workload(STT).gpus:
        wait, script = vram_wait(f"{own}-wait", plan.workload(STT), child)
        needed = pulumi.ResourceOptions.merge(after, pulumi.ResourceOptions(depends_on=[script]))
    Deployment(
        f"{own}-deployment",
        metadata=metadata(STT, plan.namespace, STT),
        spec=speaches(plan, wait),
        opts=pulumi.ResourceOptions.merge(needed, wait_up_to(ROLLOUT_SECONDS)),
    )
    ports = {"http": (SERVICE_PORT, SPEACHES_PORT), "http-guide": (_GUIDE_STT_PORT, SPEACHES_PORT)}
    _service(own, plan, STT, ports, child)


def _coqui(
    name: str, plan: Plan, child: pulumi.ResourceOptions, after: pulumi.ResourceOptions
) -> None:
    own = f"{name}-{TTS}"
    wait, script = vram_wait(f"{own}-wait", plan.workload(TTS), child)
    scaled_by_swap = pulumi.ResourceOptions(
        depends_on=[script], ignore_changes=REPLICAS_ARE_THE_SWAPS
    )
    Deployment(
        f"{own}-deployment",
        metadata=metadata(TTS, plan.namespace, TTS),
        spec=coqui(plan, wait),
        opts=pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions.merge(after, scaled_by_swap), wait_up_to(ROLLOUT_SECONDS)
        ),
    )
    _service(own, plan, TTS, {"http": (SERVICE_PORT, COQUI_PORT)}, child, drains=True)


def _piper(
    name: str, plan: Plan, child: pulumi.ResourceOptions, after: pulumi.ResourceOptions
) -> None:
    own = f"{name}-{PIPER}"
    Deployment(
        f"{own}-deployment",
        metadata=metadata(PIPER, plan.namespace, PIPER),
        spec=piper(plan),
        opts=pulumi.ResourceOptions.merge(after, wait_up_to(ROLLOUT_SECONDS)),
    )
    _service(own, plan, PIPER, {"http": (GUIDE_PIPER_PORT, PIPER_PORT)}, child)


def _service(
    own: str,
    plan: Plan,
    app: str,
    ports: dict[str, tuple[int, int]],
    opts: pulumi.ResourceOptions,
    *,
    drains: bool = False,
) -> None:
    Service(
        f"{own}-service",
        metadata=metadata(app, plan.namespace, app, annotations=SKIP_AWAIT),
        spec=service_spec(app, ports, drains=drains),
        opts=opts,
    )


def _policies(name: str, plan: Plan, ports: dict[str, int], child: pulumi.ResourceOptions) -> None:
    """Each server is called by the gateway, and calls nobody; the gateway's door is in here."""
    for app, port in ports.items():
        NetworkPolicy(
            f"{name}-{app}-policy",
            metadata=metadata(app, plan.namespace, app),
            spec=policy(
                {"app": app}, admit([pods_with(GATEWAY_APP), *callers_of(app, plan.callers)], port)
            ),
            opts=child,
        )
        let_callers_out(f"{name}-{app}", plan, child, service=app, app=app, port=port)
    NetworkPolicy(
        f"{name}-gateway-policy",
        metadata=metadata(f"{GATEWAY}-to-speech", plan.namespace, GATEWAY_APP),
        spec=policy({"app": GATEWAY_APP}, egress=[reach(app, port) for app, port in ports.items()]),
        opts=child,
    )
    NetworkPolicy(
        f"{name}-pull-policy",
        metadata=metadata(SPEECH_PULL, plan.namespace, SPEECH_PULL),
        spec=policy({"app": SPEECH_PULL}, egress=[reach_internet()]),
        opts=child,
    )
