"""The whole stack config: every key of `synapse:`, and the rules that span two sections."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from synapse.settings.base import Phase, Section
from synapse.settings.fields import DnsLabel, refusal
from synapse.settings.machine import GpuSettings, Node, Target
from synapse.settings.neighbours import Client, LegacyService
from synapse.settings.workloads import Engine, Gateway, Monitoring, Ollama, Speech

GATEWAY_SERVICE = "litellm-proxy"
OLLAMA_SERVICE = "ollama"


def _is_encrypted(value: object) -> bool:
    """Whether a secret is set; a secret in clear text is refused, and never repeated."""
    if isinstance(value, bool):
        return value
    if not (isinstance(value, dict) and set(value) == {"secure"}):
        raise refusal(
            "an encrypted value",
            "set it with `pulumi config set --secret`, and renew the one that stood in clear text",
        )
    return True


SecretIsSet = Annotated[bool, BeforeValidator(_is_encrypted)]


class Settings(Section):
    """What the operator wants. Secrets are known here only as set or not set."""

    phase: Phase = Field(1, description="the stack is brought to the end of this phase, 1 to 6")
    namespace: DnsLabel = Field("llm-infra", description="namespace of the stack")
    image_pull_secret: DnsLabel | None = Field(
        None, description="name of the registry's pull secret in the namespace; default: none"
    )
    target: Target = Field(default_factory=Target, description="where the resources go")
    node: Node = Field(description="the machine")
    gpu: GpuSettings = Field(description="the GPU")
    ollama: Ollama = Field(default_factory=Ollama, description="phase 1, models on the CPU")
    engine: Engine = Field(default_factory=Engine, description="phase 2, the model on the GPU")
    gateway: Gateway = Field(default_factory=Gateway, description="phase 3, one endpoint for all")
    speech: Speech = Field(default_factory=Speech, description="phase 4, speech")
    monitoring: Monitoring = Field(default_factory=Monitoring, description="phase 5, monitoring")
    legacy: Annotated[tuple[LegacyService, ...], Field(strict=False)] = Field(
        (), description="old services that count until they are retired"
    )
    clients: Annotated[tuple[Client, ...], Field(strict=False)] = Field(
        (), description="callers from other namespaces"
    )
    hf_token: SecretIsSet = Field(
        False, description="secret: Hugging Face token, for models behind a licence"
    )
    gateway_key: SecretIsSet = Field(
        False, description="secret: the gateway's master key, starts with sk-; phase 3 and later"
    )

    @model_validator(mode="after")
    def _models_are_pulled(self) -> Self:
        pulled = ", ".join(self.ollama.models)
        wanted = {"ollama.default_model": self.ollama.default_model} | {
            f"gateway.routes {route.name}": route.model
            for route in self.gateway.routes
            if route.model is not None
        }
        missing = [
            f"{key} = {model}" for key, model in wanted.items() if model not in self.ollama.models
        ]
        if missing:
            raise refusal(
                f"models that ollama.models pulls ({pulled}), not {'; '.join(missing)}",
                "add them to ollama.models or name one of those",
            )
        return self

    @model_validator(mode="after")
    def _route_names_are_distinct(self) -> Self:
        twice = sorted({route.name for route in self.gateway.routes} & set(self.ollama.models))
        if twice:
            raise refusal(
                "gateway.routes without the names of ollama.models, which are routes already",
                f"drop the route {', '.join(twice)}",
            )
        return self

    @model_validator(mode="after")
    def _clients_call_services_of_the_stack(self) -> Self:
        services = {OLLAMA_SERVICE, self.engine.service_name, GATEWAY_SERVICE}
        unknown = sorted({client.service for client in self.clients} - services)
        if unknown:
            raise refusal(
                f"clients that call {', '.join(sorted(services))}, not {', '.join(unknown)}",
                "name one of these Services",
            )
        return self
