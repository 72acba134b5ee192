"""What the stack's services answer now, asked without calling a model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from synapse.cluster.access import Answer, Cluster
from synapse.cluster.errors import ClusterError
from synapse.names import GATEWAY, OLLAMA, PIPER, STT, TTS
from synapse.plan.model import Plan, Route

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


def speech_answers(cluster: Cluster, plan: Plan) -> dict[str, bool]:
    """Which of the speech servers that the plan routes to answer now."""
    ask = {"coqui": coqui_answer, "speaches": speaches_answer, "piper": piper_answer}
    routed = {route.backend for route in plan.gateway.routes_in(plan.phase)}
    return {backend: asked(cluster, plan).up for backend, asked in ask.items() if backend in routed}


def speaks_now(route: Route, up: Mapping[str, bool], plan: Plan) -> str | None:
    """Who would answer a name of a voice or a transcriber now; None: nobody."""
    if up[route.backend]:
        return f"{route.backend}, {route.model}"
    stand_in = next((one for one in plan.gateway.routes if one.name == route.fallback), None)
    if stand_in and up[stand_in.backend]:
        return f"{stand_in.backend}, {stand_in.model} (fallback)"
    return None


def answers_now(route: Route, engine: Spoken, ollama: Spoken) -> str | None:
    """Who would answer a public name now; None: nobody."""
    if route.backend == "engine":
        if engine.up:
            return f"engine, {route.model}"
        return _if_pulled(route.fallback, ollama, " (fallback)") if route.fallback else None
    return _if_pulled(route.model, ollama)


def _if_pulled(tag: str, ollama: Spoken, how: str = "") -> str | None:
    return f"ollama, {tag}{how}" if full_tag(tag) in ollama.models else None


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
