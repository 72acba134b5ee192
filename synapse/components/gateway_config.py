"""The plan's routes as the files that LiteLLM's pods get: the one generator of them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml

from synapse.components import engine_command, ollama
from synapse.components.gateway_file import (
    BackendVoices,
    GatewayFile,
    LitellmParams,
    ModelEntry,
    ModelInfo,
    RouterSettings,
    RoutesFile,
)
from synapse.components.services import host, url
from synapse.components.speech_services import SPEECH_SERVICES
from synapse.names import OLLAMA
from synapse.plan.model import Plan
from synapse.plan.phases import GATEWAY
from synapse.plan.served import Route

CONFIG_FILE, ROUTES_FILE = "config.yaml", "routes.json"
INSIDE = "synapse_inside"
"""The name by which LiteLLM imports what is in synapse/inside."""

_INSIDE_FOLDER = Path(__file__).parents[1] / "inside"
_HASH_CHARACTERS = 10


def gateway_config(plan: Plan) -> GatewayFile:
    """Translate the plan's routes; nothing is in the file that is not in the plan.

    Raises:
        ValidationError: a route of the plan cannot be served.
    """
    return GatewayFile(
        model_list=tuple(
            ModelEntry(
                model_name=route.name,
                litellm_params=_backend(route, plan),
                model_info=ModelInfo(mode=route.mode),
            )
            for route in _routes(plan)
        ),
        router_settings=RouterSettings(timeout=plan.gateway.request_seconds),
    )


def _routes(plan: Plan) -> tuple[Route, ...]:
    """A file is asked for in any phase: before the gateway's own it is the first one's."""
    return plan.gateway.routes_in(max(plan.phase, GATEWAY))


def _backend(route: Route, plan: Plan) -> LitellmParams:
    """All backends speak OpenAI's language; of Ollama's own LiteLLM makes twice the work."""
    service, port = {
        "engine": (plan.engine.service, engine_command.PORT),
        "ollama": (OLLAMA, ollama.PORT),
        **SPEECH_SERVICES,
    }[route.backend]
    client = "openai" if route.backend in SPEECH_SERVICES else "hosted_vllm"
    base = url(service, plan.namespace, port)
    return LitellmParams(model=f"{client}/{route.model}", api_base=f"{base}/v1")


def rendered(config: GatewayFile) -> str:
    """The file, byte for byte as the ConfigMap holds it."""
    content = config.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def routes_told(plan: Plan) -> RoutesFile:
    """What synapse/inside is told."""
    gateway, routes = plan.gateway, _routes(plan)
    return RoutesFile(
        modes={route.name: route.mode for route in routes},
        engine_fallbacks=_fallbacks(route for route in routes if route.backend == "engine"),
        voice_fallbacks=_fallbacks(route for route in routes if route.mode == "audio_speech"),
        voices={
            route.name: BackendVoices(default=route.voice, names=route.voices)
            for route in routes
            if route.voice
        },
        unknown_models=gateway.unknown_models,
        default_route=gateway.default_route,
        engine_host=host(plan.engine.service, plan.namespace),
        engine_port=engine_command.PORT,
        engine_hang_seconds=gateway.engine_hang_seconds,
        first_token_seconds=gateway.first_token_seconds,
        metrics_port=gateway.metrics_port,
    )


def _fallbacks(routes: Iterable[Route]) -> dict[str, str]:
    return {route.name: route.fallback for route in routes if route.fallback}


def config_files(plan: Plan) -> dict[str, str]:
    """The ConfigMap of the config: its file names and their texts.

    Raises:
        ValueError: the plan has a route that leads to nobody.
    """
    file, told = gateway_config(plan), routes_told(plan)
    told.check_against(file)
    return {CONFIG_FILE: rendered(file), ROUTES_FILE: told.model_dump_json(indent=2) + "\n"}


def inside_files() -> dict[str, str]:
    """The ConfigMap of the code that runs inside the proxy."""
    files = sorted(_INSIDE_FOLDER.glob("*.py"))
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def content_name(prefix: str, content: str) -> str:
    """A name that changes with the content: pods roll, and a rollback finds its old config."""
    return f"{prefix}-{hashlib.sha256(content.encode()).hexdigest()[:_HASH_CHARACTERS]}"
