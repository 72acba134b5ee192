"""The plan's routes of speech as entries of LiteLLM's config, and the hook that maps voices."""

from importlib import resources as package_files
from typing import Final, TypedDict

from synapse.components.services import url
from synapse.names import PIPER, STT, TTS
from synapse.plan.model import Plan, Route

AUDIO_MODES: Final = ("audio_speech", "audio_transcription")
VOICES_MODULE: Final = "voices"
VOICES_CALLBACK: Final = f"{VOICES_MODULE}.voices"
_SERVERS: Final = {"coqui": (TTS, 8000), "speaches": (STT, 8000), "piper": (PIPER, 8003)}


class AudioParams(TypedDict):
    """Where a speech server is, and how it is called."""

    model: str
    api_base: str
    api_key: str


class VoiceMap(TypedDict):
    """The server's voice for each name that it is asked for."""

    default: str
    names: dict[str, str]


class AudioInfo(TypedDict, total=False):
    """What LiteLLM and the hook know about an entry."""

    mode: str
    health_check_voice: str
    voices: VoiceMap


class AudioEntry(TypedDict):
    """One public name of a voice or a transcriber."""

    model_name: str
    litellm_params: AudioParams
    model_info: AudioInfo


def audio_entries(plan: Plan) -> list[AudioEntry]:
    """The entries of the phase; a name's voice is mapped where it is a voice's."""
    return [
        _entry(route, plan)
        for route in plan.gateway.routes_in(plan.phase)
        if route.mode in AUDIO_MODES
    ]


def audio_callbacks(plan: Plan) -> list[str]:
    """The hooks that the entries of the phase need."""
    speaks = any(route.voice for route in plan.gateway.routes_in(plan.phase))
    return [VOICES_CALLBACK] if speaks else []


def audio_modules(plan: Plan) -> dict[str, str]:
    """Files beside the config that hold those hooks, by their names."""
    if not audio_callbacks(plan):
        return {}
    source = package_files.files("synapse.components").joinpath("litellm_voices.py")
    return {f"{VOICES_MODULE}.py": source.read_text(encoding="utf-8")}


def _entry(route: Route, plan: Plan) -> AudioEntry:
    service, port = _SERVERS[route.backend]
    info: AudioInfo = {"mode": route.mode}
    if route.voice:
        info["health_check_voice"] = route.voice
        info["voices"] = {"default": route.voice, "names": route.voices}
    return {
        "model_name": route.name,
        "litellm_params": {
            "model": f"openai/{route.model}",
            "api_base": f"{url(service, plan.namespace, port)}/v1",
            "api_key": "none",  # no server asks for a key; the client library wants one
        },
        "model_info": info,
    }
