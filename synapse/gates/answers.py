"""What the stack's services answer now, asked without calling a model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse.cluster.access import Answer, Cluster
from synapse.cluster.errors import ClusterError
from synapse.names import GATEWAY, OLLAMA, PIPER, STT, TTS
from synapse.plan.model import Plan
from synapse.plan.served import Route

_LONGEST_SHOWN = 120


@dataclass(frozen=True)
class Spoken:
    """One service's answer: whether it serves, in words, and the models that it names."""

    up: bool
    said: str
    models: frozenset[str] = frozenset()


def ollama_answer(cluster: Cluster, plan: Plan) -> Spoken:
    """Ollama's version, and whether every model of the plan is there."""
    version = _ask(cluster, plan, OLLAMA, "/api/version")
    if not version.ok:
        return _down(version)
    tags = _ask(cluster, plan, OLLAMA, "/api/tags")
    present = frozenset(_names(tags.body, "models", "name"))
    missing = [one.tag for one in plan.ollama.models if full_tag(one.tag) not in present]
    if not tags.ok or missing:
        said = f"not pulled: {', '.join(missing)}; run `python -m synapse pull`"
        return Spoken(False, said if tags.ok else _down(tags).said, present)
    known = _field(version.body, "version")
    return Spoken(True, f"Ollama {known}, {', '.join(sorted(present))}", present)


def engine_answer(cluster: Cluster, plan: Plan) -> Spoken:
    """The engine's health, and whether it serves the names that the gateway asks for."""
    health = _ask(cluster, plan, plan.engine.service, "/health")
    if not health.ok:
        return _down(health)
    listed = _ask(cluster, plan, plan.engine.service, "/v1/models")
    served = frozenset(_names(listed.body, "data", "id"))
    missing = [name for name in plan.engine.served_names if name not in served]
    if not listed.ok or missing:
        said = f"does not serve {', '.join(missing)}; run `pulumi up`"
        return Spoken(False, said if listed.ok else _down(listed).said, served)
    return Spoken(True, f"{plan.engine.kind}, {', '.join(sorted(served))}", served)


def gateway_answer(cluster: Cluster, plan: Plan) -> Spoken:
    """The gateway's readiness."""
    answer = _ask(cluster, plan, GATEWAY, "/health/readiness")
    if not answer.ok:
        return _down(answer)
    return Spoken(True, f"LiteLLM {_field(answer.body, 'status')}")


def coqui_answer(cluster: Cluster, plan: Plan) -> Spoken:
    """Coqui's page, which it shows once its model is loaded: it has no health of its own."""
    return _alive(cluster, plan, TTS, "/")


def speaches_answer(cluster: Cluster, plan: Plan) -> Spoken:
    """The health of Speaches, which loads a model with the first request for it."""
    return _alive(cluster, plan, STT, "/health")


def piper_answer(cluster: Cluster, plan: Plan) -> Spoken:
    """The health of openedai-speech, which is always well."""
    return _alive(cluster, plan, PIPER, "/health")


def _alive(cluster: Cluster, plan: Plan, service: str, path: str) -> Spoken:
    answer = _ask(cluster, plan, service, path)
    return Spoken(True, "answers") if answer.ok else _down(answer)


def backends_answer(cluster: Cluster, plan: Plan, routes: Sequence[Route]) -> dict[str, Spoken]:
    """What each backend that one of the routes leads to answers, by its name there."""
    ask = {
        "engine": engine_answer,
        "ollama": ollama_answer,
        "coqui": coqui_answer,
        "speaches": speaches_answer,
        "piper": piper_answer,
    }
    routed = {route.backend for route in routes}
    return {backend: asked(cluster, plan) for backend, asked in ask.items() if backend in routed}


@dataclass(frozen=True)
class RouteNow:
    """A public name at this moment."""

    up: bool
    """Whether what it is routed to would answer."""
    who: str | None
    """Backend and model that would answer, be it the fallback; None: nobody."""


def route_now(route: Route, routes: Sequence[Route], spoken: Mapping[str, Spoken]) -> RouteNow:
    """Who would answer a public name, one of these, by what the backends answered."""
    stand_in = next((one for one in routes if one.name == route.fallback), None)
    if _would_answer(route, spoken):
        return RouteNow(True, f"{route.backend}, {route.model}")
    if stand_in and _would_answer(stand_in, spoken):
        return RouteNow(False, f"{stand_in.backend}, {stand_in.model} (fallback)")
    return RouteNow(False, None)


def _would_answer(route: Route, spoken: Mapping[str, Spoken]) -> bool:
    said = spoken[route.backend]
    # Ollama answers for the models that are there, also while others are not pulled.
    return full_tag(route.model) in said.models if route.backend == "ollama" else said.up


def full_tag(tag: str) -> str:
    """A tag as Ollama lists it."""
    return tag if ":" in tag else f"{tag}:latest"


def _ask(cluster: Cluster, plan: Plan, service: str, path: str) -> Answer:
    try:
        return cluster.ask_service(plan.namespace, service, path)
    except ClusterError as error:
        return Answer(0, str(error), by_api_server=True)


def _down(answer: Answer) -> Spoken:
    body = " ".join(answer.body.split())[:_LONGEST_SHOWN]
    return Spoken(False, body if answer.by_api_server else f"status {answer.status}: {body}")


def _names(body: str, collection: str, key: str) -> list[str]:
    items = _parsed(body).get(collection)
    if not isinstance(items, list):
        return []
    return [str(item[key]) for item in items if isinstance(item, dict) and key in item]


def _field(body: str, key: str) -> str:
    return str(_parsed(body).get(key, "of an unknown kind"))


def _parsed(body: str) -> dict[str, object]:
    """The JSON object of a body; empty for anything else, as a stranger may answer."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
