"""The plan's routes as LiteLLM's config: the one generator of that file."""

import hashlib
from typing import NotRequired, TypedDict

import yaml

from synapse.components import engine_command, ollama
from synapse.components.gateway_audio import (
    AUDIO_MODES,
    AudioEntry,
    audio_callbacks,
    audio_entries,
)
from synapse.components.services import url
from synapse.names import OLLAMA
from synapse.plan.model import Plan, Route
from synapse.plan.phases import GATEWAY

KEY_VARIABLE = "LITELLM_MASTER_KEY"
_ANY_NAME = "*"
_HASH_CHARACTERS = 10
_TIMEOUT_SECONDS = 600
_FIRST_TOKEN_TIMEOUT_SECONDS = 30
_COOLDOWN_SECONDS = 5


class LitellmParams(TypedDict):
    """Where one deployment of a model is, and how it is called."""

    model: str
    api_base: str
    api_key: NotRequired[str]
    stream_timeout: NotRequired[int]


class ModelEntry(TypedDict):
    """One public name with its deployment."""

    model_name: str
    litellm_params: LitellmParams
    model_info: dict[str, str]


class GatewayConfig(TypedDict):
    """The whole of LiteLLM's config file."""

    model_list: list[ModelEntry | AudioEntry]
    router_settings: dict[str, object]
    litellm_settings: dict[str, object]
    general_settings: dict[str, object]


def gateway_config(plan: Plan) -> GatewayConfig:
    """Translate the plan's routes; nothing is in the file that is not in the plan."""
    gateway = plan.gateway
    routes = gateway.routes_in(max(plan.phase, GATEWAY))
    entries = [_entry(route.name, route, plan) for route in routes if route.mode not in AUDIO_MODES]
    if gateway.unknown_models == "fallback":
        default = next(one for one in gateway.routes if one.name == gateway.default_route)
        entries.append(_entry(_ANY_NAME, default, plan))
    return {
        "model_list": [*entries, *audio_entries(plan)],
        "router_settings": {
            # A dead backend is not asked again by the same request: the fallback answers at once.
            "num_retries": 0,
            "allowed_fails": 0,
            "cooldown_time": _COOLDOWN_SECONDS,
            "timeout": _TIMEOUT_SECONDS,
            "fallbacks": [{route.name: [route.fallback]} for route in routes if route.fallback],
        },
        "litellm_settings": {
            "drop_params": True,
            # Streaming to a Llama name would fetch a tokenizer, and freeze a pod without egress.
            "disable_hf_tokenizer_download": True,
            **({"callbacks": callbacks} if (callbacks := audio_callbacks(plan)) else {}),
        },
        "general_settings": {
            "master_key": f"os.environ/{KEY_VARIABLE}",
            "disable_spend_logs": True,
        },
    }


def _entry(name: str, route: Route, plan: Plan) -> ModelEntry:
    return {
        "model_name": name,
        "litellm_params": _backend(route, plan),
        "model_info": {"mode": route.mode},
    }


def _backend(route: Route, plan: Plan) -> LitellmParams:
    if route.backend == "engine":
        base = url(plan.engine.service, plan.namespace, engine_command.PORT)
        return {
            "model": f"hosted_vllm/{route.model}",
            "api_base": f"{base}/v1",
            "api_key": "none",  # the engine asks for no key; the client library wants one
            # Not for Ollama: on the CPU a cold model's first token takes longer.
            "stream_timeout": _FIRST_TOKEN_TIMEOUT_SECONDS,
        }
    # LiteLLM answers embeddings by its `ollama` provider alone, chat best by `ollama_chat`.
    provider = "ollama" if route.mode == "embedding" else "ollama_chat"
    return {
        "model": f"{provider}/{route.model}",
        "api_base": url(OLLAMA, plan.namespace, ollama.PORT),
    }


def rendered(config: GatewayConfig) -> str:
    """The file, byte for byte as the ConfigMap holds it."""
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def content_name(prefix: str, content: str) -> str:
    """A name that changes with the content: pods roll, and a rollback finds its old config."""
    return f"{prefix}-{hashlib.sha256(content.encode()).hexdigest()[:_HASH_CHARACTERS]}"
