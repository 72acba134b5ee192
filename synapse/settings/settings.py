"""The whole stack config: every key of `synapse:`, and the rules that span two sections."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field

from synapse import names
from synapse.settings.base import Phase, Section
from synapse.settings.fields import DnsLabel, refusal
from synapse.settings.machine import GpuSettings, Node, Target
from synapse.settings.neighbours import Client, LegacyService
from synapse.settings.rules import Broken, rule
from synapse.settings.workloads import Engine, Gateway, Monitoring, Ollama, Speech


def _is_encrypted(value: object) -> object:
    """Whether a secret is set; a secret in clear text is refused, and never repeated."""
    if value == _NOT_SET:
        return False
    if not (isinstance(value, dict) and set(value) == {"secure"}):
        raise refusal(
            "an encrypted value",
            "set it with `pulumi config set --secret`, and renew the one that stood in clear text",
        )
    return True


def _phase_as_pulumi_writes_it(value: object) -> object:
    """Read the "3" that `pulumi config set phase 3` and `pulumi up -c phase=3` write."""
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,3}", value) else value


def _none_if_empty(value: object) -> object:
    return None if value == _NOT_SET else value


_NOT_SET = ""
"""The default that Pulumi.yaml declares for a key that may be left out: Pulumi knows no null."""

SecretIsSet = Annotated[bool, BeforeValidator(_is_encrypted)]


class Settings(Section):
    """What the operator wants. Secrets are known here only as set or not set."""

    phase: Annotated[Phase, BeforeValidator(_phase_as_pulumi_writes_it)] = Field(
        1, description="the stack is brought to the end of this phase, 1 to 6"
    )
    namespace: DnsLabel = Field("llm-infra", description="namespace of the stack")
    image_pull_secret: Annotated[DnsLabel | None, BeforeValidator(_none_if_empty)] = Field(
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
        False, description="Hugging Face token, for models behind a licence; default: none"
    )
    gateway_key: SecretIsSet = Field(
        False,
        description="the gateway's key, starts with sk-; default: one is generated in phase 3",
    )
    gateway_previous_key: SecretIsSet = Field(
        False, description="accepted beside gateway_key while callers change over; default: none"
    )

    @rule("ollama.default_model", "ollama.models", "gateway.routes.*.model")
    def _models_are_pulled(self) -> Iterator[Broken]:
        wanted = [("ollama.default_model", self.ollama.default_model)] + [
            (f"gateway.routes[{index}].model", route.model)
            for index, route in enumerate(self.gateway.routes)
            if route.model is not None
        ]
        for key, model in wanted:
            if model not in self.ollama.models:
                yield Broken(
                    key,
                    model,
                    f"a model of ollama.models ({', '.join(self.ollama.models)})",
                    "add it to ollama.models or name one of those",
                )

    @rule("ollama.models", "gateway.routes.*.name")
    def _route_names_are_free(self) -> Iterator[Broken]:
        for index, route in enumerate(self.gateway.routes):
            if route.name in self.ollama.models:
                yield Broken(
                    f"gateway.routes[{index}].name",
                    route.name,
                    "a name that is not in ollama.models, whose names are routes already",
                    "drop the route or name it otherwise",
                )

    @rule("engine.service_name", "clients.*.service")
    def _clients_call_services_of_the_stack(self) -> Iterator[Broken]:
        services = sorted(
            {names.OLLAMA, self.engine.service_name, names.GATEWAY, names.TTS, names.STT}
        )
        for index, client in enumerate(self.clients):
            if client.service not in services:
                yield Broken(
                    f"clients[{index}].service",
                    client.service,
                    f"one of {', '.join(services)}",
                    "name one of these Services",
                )

    @rule("gateway_key", "gateway_previous_key")
    def _a_previous_key_is_beside_one(self) -> Iterator[Broken]:
        if self.gateway_previous_key and not self.gateway_key:
            yield Broken(
                "gateway_previous_key",
                "(hidden)",
                "nothing without gateway_key: of generated keys the one before is known",
                "drop it, or set gateway_key",
            )

    @rule("engine.service_name")
    def _service_names_differ(self) -> Iterator[Broken]:
        if self.engine.service_name in names.ALL:
            yield Broken(
                "engine.service_name",
                self.engine.service_name,
                f"a name that no other part of the stack has ({', '.join(names.ALL)})",
                f"write '{type(self.engine).model_fields['service_name'].default}'",
            )

    @rule("legacy.*.namespace", "legacy.*.name")
    def _legacy_services_differ(self) -> Iterator[Broken]:
        known = [(old.namespace, old.name) for old in self.legacy]
        for index, old in enumerate(known):
            if old in known[:index]:
                yield Broken(
                    f"legacy[{index}].name",
                    old[1],
                    f"a service that stands in the list once (namespace {old[0]})",
                    "drop one of the two",
                )
