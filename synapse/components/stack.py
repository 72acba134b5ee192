"""The root of everything: the plan's claims as a plain input, and the phases below it."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes

from synapse.components import gateway, ollama
from synapse.components.device_plugin import (
    DevicePlugin,
    DevicePluginArgs,
    needs_device_plugin,
)
from synapse.components.edge import HttpsRoute, RouteArgs
from synapse.components.engine import Engine, EngineArgs
from synapse.components.foundation import Foundation, FoundationArgs
from synapse.components.gateway import Gateway, GatewayArgs
from synapse.components.ollama import Ollama, OllamaArgs
from synapse.components.secrets import Secrets
from synapse.components.speech import Speech, SpeechArgs
from synapse.names import GATEWAY, GATEWAY_APP, OLLAMA
from synapse.plan import phases
from synapse.plan.model import Plan
from synapse.settings.machine import Target, TargetKind

# What clients need of a service; metrics and pages for administrators are not among them.
_PATHS = {
    GATEWAY: ("/v1/", "/health/liveliness", "/health/readiness"),
    OLLAMA: ("/api/", "/v1/"),
}

_CHECKED = (
    "schema_version",
    "phase",
    "namespace",
    "node",
    "gpu",
    "workloads",
    "states",
    "transitions",
    "ram",
    "volumes",
    "ollama",
    "engine",
)
"""Parts of the plan that the policy pack checks."""

_Phase = tuple[pulumi.Resource, ...]
"""What a phase consists of. The servers of the next one wait for all of it, and so are taken down
before it; what needs no server below (downloads, policies, config) does not wait."""


@dataclass(frozen=True)
class SynapseArgs:
    """The plan, where it goes, and what the plan must not hold: secrets and local commands."""

    plan: Plan
    target: Target
    secrets: Secrets
    build_command: str | None


class Synapse(pulumi.ComponentResource):
    """The stack. Every other resource is its descendant, so that refusing it refuses all.

    Attributes:
        endpoints: addresses of the services that the phase holds.
        gateway_key: what callers of the gateway send, as a secret, if it was generated.
    """

    endpoints: dict[str, pulumi.Output[str]]
    gateway_key: pulumi.Output[str] | None = None

    def __init__(
        self, name: str, args: SynapseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        plan = args.plan
        super().__init__("synapse:stack:Synapse", name, {"plan": _claims(plan)}, opts)
        provider = _provider(name, args.target, self)
        self.endpoints = {}
        below = pulumi.ResourceOptions(parent=self, provider=provider)
        foundation = Foundation("foundation", FoundationArgs(plan), below)
        inside = _upon(foundation, below)
        lower: _Phase = ()
        if needs_device_plugin(plan):
            # In every phase: the GPU has to be offered before the first pod may ask for it.
            lower = (DevicePlugin("device-plugin", DevicePluginArgs(plan), inside),)
        for phase, build in (
            (phases.OLLAMA, self._ollama),
            (phases.ENGINE, self._engine),
            (phases.GATEWAY, self._gateway),
            (phases.SPEECH, self._speech),
        ):
            if plan.phase >= phase:
                lower = build(args, inside, _awaited(lower))
        self.register_outputs(dict(self.endpoints))

    def _ollama(self, args: SynapseArgs, opts: pulumi.ResourceOptions, lower: _Phase) -> _Phase:
        plan = args.plan
        built = Ollama(OLLAMA, OllamaArgs(plan, lower), opts)
        self.endpoints["ollama"] = built.url
        if plan.ollama.ingress_host:
            host, after = plan.ollama.ingress_host, _upon(built, opts)
            return built, _https(plan, OLLAMA, host, after, app=OLLAMA, port=ollama.PORT)
        return (built,)

    def _engine(self, args: SynapseArgs, opts: pulumi.ResourceOptions, lower: _Phase) -> _Phase:
        engine = EngineArgs(args.plan, lower, args.secrets, args.build_command)
        built = Engine("engine", engine, opts)
        self.endpoints["engine"] = built.url
        return (built,)

    def _gateway(self, args: SynapseArgs, opts: pulumi.ResourceOptions, lower: _Phase) -> _Phase:
        plan = args.plan
        built = Gateway("gateway", GatewayArgs(plan, lower, args.secrets), opts)
        self.endpoints["gateway"] = built.url
        self.gateway_key = built.generated_key
        if plan.gateway.host:
            host, after = plan.gateway.host, _upon(built, opts)
            public = _https(plan, GATEWAY, host, after, app=GATEWAY_APP, port=gateway.SERVICE_PORT)
            self.endpoints["public"] = public.url
            return built, public
        return (built,)

    def _speech(self, args: SynapseArgs, opts: pulumi.ResourceOptions, lower: _Phase) -> _Phase:
        built = Speech("speech", SpeechArgs(args.plan, lower), opts)
        self.endpoints["speech"] = built.url
        return (built,)


def _https(
    plan: Plan, service: str, host: str, opts: pulumi.ResourceOptions, *, app: str, port: int
) -> HttpsRoute:
    args = RouteArgs(
        host=host,
        service=service,
        app=app,
        port=port,
        paths=_PATHS[service],
        namespace=plan.namespace,
        tls_secret=plan.gateway.tls_secret,
    )
    return HttpsRoute(f"{service}-https", args, opts)


def _claims(plan: Plan) -> dict[str, object]:
    """What the policy pack checks, as plain values.

    The engine handles each value of a stack many times, and those of the whole plan would be half
    of all. Texts and routes are left to `make plan`; what a sum of RAM is made of, the pack finds
    in the workloads.
    """
    lines = {"ram": {"__all__": {"lines"}}}
    return plan.model_dump(mode="json", include=set(_CHECKED), exclude=lines)


def _upon(lower: pulumi.Resource, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Made after the lower one, and so taken down before it."""
    after = pulumi.ResourceOptions(depends_on=[*_awaited((lower,))])
    return pulumi.ResourceOptions.merge(opts, after)


def _awaited(lower: _Phase) -> _Phase:
    """A preview makes nothing: to wait there would only cost time."""
    return () if pulumi.runtime.is_dry_run() else lower


def _provider(name: str, target: Target, parent: pulumi.Resource) -> pulumi_kubernetes.Provider:
    """The one explicit provider: nothing reaches a cluster by default."""
    opts = pulumi.ResourceOptions(parent=parent)
    if target.kind is TargetKind.RENDER:
        return pulumi_kubernetes.Provider(
            f"{name}-manifests", render_yaml_to_directory=target.directory, opts=opts
        )
    return pulumi_kubernetes.Provider(
        f"{name}-cluster", kubeconfig=target.kubeconfig, context=target.context, opts=opts
    )
