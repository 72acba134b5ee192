"""The plan's routes of speech as LiteLLM's entries, and the hook that runs inside it."""

import asyncio
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from synapse.components import gateway_audio
from synapse.components.gateway_audio import audio_entries, audio_modules
from synapse.components.gateway_config import gateway_config
from tests.components.conftest import Planner

COQUI = "http://coqui-tts.llm-infra.svc.cluster.local:8000/v1"
SPEACHES = "http://speaches.llm-infra.svc.cluster.local:8000/v1"
KOKORO = "openai/speaches-ai/Kokoro-82M-v1.0-ONNX"
WHISPER = "openai/Systran/faster-whisper-base"
HOOK = Path(gateway_audio.__file__).with_name("litellm_voices.py")


def test_the_entries_of_the_forge(planned: Planner) -> None:
    assert {
        one["model_name"]: (one["litellm_params"]["model"], one["litellm_params"]["api_base"])
        for one in audio_entries(planned())
    } == {
        "xtts-v2": ("openai/xtts-v2", COQUI),
        "tts-1": ("openai/xtts-v2", COQUI),
        "kokoro": (KOKORO, SPEACHES),
        "faster-whisper": (WHISPER, SPEACHES),
        "whisper-1": (WHISPER, SPEACHES),
    }


def test_before_speech_there_is_neither_an_entry_nor_a_hook(planned: Planner) -> None:
    plan = planned(phase=3)
    assert audio_entries(plan) == []
    assert audio_modules(plan) == {}
    assert "callbacks" not in gateway_config(plan)["litellm_settings"]


def test_no_chat_route_stands_in_for_a_voice(planned: Planner) -> None:
    config = gateway_config(planned())
    modes = {one["model_name"]: one["model_info"]["mode"] for one in config["model_list"]}
    fallbacks = config["router_settings"]["fallbacks"]
    assert isinstance(fallbacks, list)
    for fallback in fallbacks:
        for name, targets in fallback.items():
            assert {modes[target] for target in targets} == {modes[name]}, name


def test_the_hook_is_the_file_that_the_config_names(planned: Planner) -> None:
    callbacks = gateway_config(planned())["litellm_settings"]["callbacks"]
    assert callbacks == ["voices.voices"]
    assert audio_modules(planned()) == {"voices.py": HOOK.read_text(encoding="utf-8")}


class NotFound(Exception):  # noqa: N818  in FastAPI's place
    def __init__(self, status: int, detail: dict[str, str]) -> None:
        self.status, self.detail = status, detail
        super().__init__(detail)


@pytest.fixture
def hook(planned: Planner, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook's instance, loaded beside empty stand-ins of what it imports."""
    logger, server, fastapi = (
        ModuleType(name)
        for name in ("litellm.integrations.custom_logger", "litellm.proxy.proxy_server", "fastapi")
    )
    proxy = ModuleType("litellm.proxy")
    setattr(logger, "CustomLogger", object)  # noqa: B010  a module's attribute
    setattr(fastapi, "HTTPException", NotFound)  # noqa: B010
    router = ModuleType("router")
    setattr(router, "model_list", gateway_config(planned())["model_list"])  # noqa: B010
    setattr(server, "llm_router", router)  # noqa: B010
    setattr(proxy, "proxy_server", server)  # noqa: B010
    for module in (ModuleType("litellm"), ModuleType("litellm.integrations"), proxy):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for module in (logger, server, fastapi):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location("voices", HOOK)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.voices


def _asked(hook: Any, planned: Planner, name: str, voice: str | None) -> Any:
    info = next(one["model_info"] for one in audio_entries(planned()) if one["model_name"] == name)
    told = {"input": "x", "voice": voice, "model_info": info}
    return asyncio.run(hook.async_pre_call_deployment_hook(told, "aspeech"))


@pytest.mark.parametrize(
    ("name", "voice", "mapped"),
    [
        ("xtts-v2", "onyx", "Viktor Menelaos"),
        ("xtts-v2", "Ana Florence", "Ana Florence"),
        ("xtts-v2", "default", "Claribel Dervla"),
        ("xtts-v2", "af_heart", "Claribel Dervla"),
        ("xtts-v2", None, "Claribel Dervla"),
        ("kokoro", "onyx", "am_onyx"),
        ("kokoro", "bf_emma", "bf_emma"),
        ("kokoro", "Ana Florence", "af_heart"),
    ],
)
def test_a_voice_is_one_that_the_server_has(
    hook: Any, planned: Planner, name: str, voice: str | None, mapped: str
) -> None:
    assert _asked(hook, planned, name, voice) == {
        "input": "x",
        "voice": mapped,
        "model_info": next(
            one["model_info"] for one in audio_entries(planned()) if one["model_name"] == name
        ),
    }


def test_what_has_no_voice_is_left_alone(hook: Any, planned: Planner) -> None:
    assert _asked(hook, planned, "whisper-1", None) is None
    assert asyncio.run(hook.async_pre_call_deployment_hook({"messages": []}, "acompletion")) is None


def _admitted(hook: Any, model: str, call_type: str) -> None:
    asyncio.run(hook.async_pre_call_hook(None, None, {"model": model}, call_type))


@pytest.mark.parametrize(
    ("model", "call_type"),
    [
        ("tts-1", "aspeech"),
        ("whisper-1", "transcription"),
        ("llama-3.2-8b", "acompletion"),
        ("anything", "acompletion"),
    ],
)
def test_a_request_for_what_there_is_passes(hook: Any, model: str, call_type: str) -> None:
    _admitted(hook, model, call_type)


@pytest.mark.parametrize(
    ("model", "call_type"),
    [
        ("anything", "aspeech"),
        ("llama-3.2-8b", "aspeech"),
        ("whisper-1", "aspeech"),
        ("tts-1", "transcription"),
        ("llama3.1:8b", "transcription"),
    ],
)
def test_speech_of_another_name_is_refused_and_never_a_chat(
    hook: Any, model: str, call_type: str
) -> None:
    with pytest.raises(NotFound) as refused:
        _admitted(hook, model, call_type)
    assert refused.value.status == 404
    assert model in refused.value.detail["error"]
