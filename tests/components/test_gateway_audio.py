"""The plan's routes of speech in the gateway's files. What the proxy does: tests/gateway."""

from typing import Any

import pytest
from pydantic import ValidationError

from synapse.components.gateway_config import config_files, gateway_config, routes_told
from tests.components.conftest import Planner

COQUI = "http://coqui-tts.llm-infra.svc.cluster.local:8000/v1"
SPEACHES = "http://speaches.llm-infra.svc.cluster.local:8000/v1"
PIPER = "http://piper-tts.llm-infra.svc.cluster.local:8003/v1"
KOKORO = "openai/speaches-ai/Kokoro-82M-v1.0-ONNX"
WHISPER = "openai/Systran/faster-whisper-base"
AUDIO = ("audio_speech", "audio_transcription")


def _audio(planned: Planner, **overrides: Any) -> dict[str, tuple[str, str]]:
    return {
        one.model_name: (one.litellm_params.model, one.litellm_params.api_base)
        for one in gateway_config(planned(**overrides)).model_list
        if one.model_info.mode in AUDIO
    }


def test_the_entries_of_the_forge(planned: Planner) -> None:
    assert _audio(planned) == {
        "xtts-v2": ("openai/xtts-v2", COQUI),
        "tts-1": ("openai/xtts-v2", COQUI),
        "kokoro": (KOKORO, SPEACHES),
        "faster-whisper": (WHISPER, SPEACHES),
        "whisper-1": (WHISPER, SPEACHES),
    }


def test_the_guides_voice_is_asked_at_its_own_port(planned: Planner) -> None:
    entries = _audio(planned, speech={"tts": {"kind": "piper"}})
    assert entries["tts-1"] == ("openai/tts-1", PIPER)


def test_before_speech_there_is_no_trace_of_it(planned: Planner) -> None:
    plan = planned(phase=3)
    told = routes_told(plan)
    assert _audio(planned, phase=3) == {}
    assert (told.voices, told.voice_fallbacks) == ({}, {})
    assert not set(told.modes.values()) & set(AUDIO)


def test_kokoro_stands_in_for_the_voice_that_may_be_away(planned: Planner) -> None:
    told = routes_told(planned())
    assert told.voice_fallbacks == {"xtts-v2": "kokoro", "tts-1": "kokoro"}
    assert set(told.engine_fallbacks) == {"llama-3.2-8b"}, "a text model speaks for nobody"


def test_without_the_licence_nobody_has_to_stand_in(planned: Planner) -> None:
    told = routes_told(planned(speech={"tts": {"kind": "kokoro"}}))
    assert told.voice_fallbacks == {}
    assert set(told.voices) == {"xtts-v2", "tts-1", "kokoro"}


@pytest.mark.parametrize(
    ("route", "voice", "mapped"),
    [
        ("xtts-v2", "onyx", "Viktor Menelaos"),
        ("xtts-v2", "Ana Florence", "Ana Florence"),
        ("kokoro", "onyx", "am_onyx"),
        ("kokoro", "bf_emma", "bf_emma"),
    ],
)
def test_each_server_is_told_of_by_its_own_voices(
    planned: Planner, route: str, voice: str, mapped: str
) -> None:
    assert routes_told(planned()).voices[route].names[voice] == mapped


def test_a_voice_without_a_known_voice_is_not_deployed(planned: Planner) -> None:
    plan = planned()
    mute = tuple(one.model_copy(update={"voice": None}) for one in plan.gateway.routes)
    broken = plan.model_copy(update={"gateway": plan.gateway.model_copy(update={"routes": mute})})
    with pytest.raises(ValueError, match="the routes with voices are not those that speak"):
        config_files(broken)


def test_a_chat_model_cannot_stand_in_for_a_voice(planned: Planner) -> None:
    plan = planned()
    crossed = tuple(
        one.model_copy(update={"fallback": "llama3.1:8b"}) if one.fallback == "kokoro" else one
        for one in plan.gateway.routes
    )
    broken = plan.model_copy(
        update={"gateway": plan.gateway.model_copy(update={"routes": crossed})}
    )
    with pytest.raises(ValueError, match="which is no audio_speech"):
        config_files(broken)


def test_a_voice_is_not_called_as_a_chat_model_is(planned: Planner) -> None:
    entry = next(one for one in gateway_config(planned()).model_list if one.model_name == "tts-1")
    told = entry.model_dump()
    told["litellm_params"]["model"] = "hosted_vllm/xtts-v2"
    with pytest.raises(ValidationError, match="does not serve audio_speech"):
        type(entry).model_validate(told)
