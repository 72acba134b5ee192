"""Public names and who answers them."""

from synapse.catalogue import Catalogue
from synapse.plan import phases
from synapse.plan.served import EnginePlan, GatewayPlan, OllamaPlan, Route, SpeechPlan
from synapse.plan.speech_routes import speech_routes
from synapse.settings.settings import Settings
from synapse.settings.workloads import Backend

# The longest answers are those of the fallback on the CPU.
_REQUEST_SECONDS = 600
_METRICS_PORT = 9090


def plan_gateway(
    settings: Settings,
    catalogue: Catalogue,
    ollama: OllamaPlan,
    engine: EnginePlan,
    speech: SpeechPlan,
) -> GatewayPlan:
    """Route the config's names first, then every Ollama model by its own tag, then speech."""
    wanted = settings.gateway
    return GatewayPlan(
        image=wanted.image or catalogue.image("litellm").reference,
        kubectl_image=catalogue.image("kubectl").reference,
        replicas=wanted.replicas,
        routes=(
            *_public_routes(settings, ollama, engine),
            *_ollama_routes(ollama),
            *speech_routes(speech, catalogue),
        ),
        unknown_models=wanted.unknown_models,
        default_route=ollama.default_model,
        first_token_seconds=wanted.first_token_seconds,
        engine_hang_seconds=wanted.engine_hang_seconds,
        request_seconds=_REQUEST_SECONDS,
        metrics_port=_METRICS_PORT if wanted.metrics else None,
        key_version=wanted.key_version,
        host=wanted.host,
        tls_secret=wanted.tls_secret,
        restart_schedule=wanted.restart_schedule,
    )


def _public_routes(settings: Settings, ollama: OllamaPlan, engine: EnginePlan) -> list[Route]:
    embeddings = {model.tag for model in ollama.models if model.embeddings}
    return [
        Route(
            name=route.name,
            backend=route.backend.value,
            model=route.model or engine.served_names[0],
            mode="embedding" if route.model in embeddings else "chat",
            fallback=ollama.default_model if route.backend is Backend.ENGINE else None,
            since=phases.GATEWAY,
        )
        for route in settings.gateway.routes
    ]


def _ollama_routes(ollama: OllamaPlan) -> list[Route]:
    return [
        Route(
            name=model.tag,
            backend="ollama",
            model=model.tag,
            mode="embedding" if model.embeddings else "chat",
            fallback=None,
            since=phases.GATEWAY,
        )
        for model in ollama.models
    ]
