"""Names of voices and transcribers, and who answers them. No chat route stands in for one."""

from synapse.catalogue import Catalogue
from synapse.plan import phases
from synapse.plan.served import Route, SpeechPlan

KOKORO = "kokoro"
TTS_NAMES = ("xtts-v2", "tts-1")
STT_NAMES = ("faster-whisper", "whisper-1")
# What each server calls its voice: coqui-tts answers to any name, openedai-speech to this one.
_COQUI_MODEL, _PIPER_MODEL = "xtts-v2", "tts-1"


def speech_routes(speech: SpeechPlan, catalogue: Catalogue) -> tuple[Route, ...]:
    """The wanted voice under its names, Kokoro under its own and as their fallback, Whisper."""
    return (
        *(_voice(name, speech, catalogue) for name in TTS_NAMES),
        _kokoro(KOKORO, speech, catalogue),
        *(
            Route(
                name=name,
                backend="speaches",
                model=speech.stt.repository,
                mode="audio_transcription",
                fallback=None,
                since=phases.SPEECH,
            )
            for name in STT_NAMES
        ),
    )


def _voice(name: str, speech: SpeechPlan, catalogue: Catalogue) -> Route:
    if speech.voice == "xtts-v2":
        voices = catalogue.voices_of("coqui")
        return Route(
            name=name,
            backend="coqui",
            model=_COQUI_MODEL,
            mode="audio_speech",
            fallback=KOKORO,
            since=phases.SPEECH,
            voices=voices.by_name,
            voice=voices.default,
        )
    if speech.voice == "piper" and name != _COQUI_MODEL:
        voices = catalogue.voices_of("piper")
        return Route(
            name=name,
            backend="piper",
            model=_PIPER_MODEL,
            mode="audio_speech",
            fallback=KOKORO,
            since=phases.SPEECH,
            voices=voices.by_name,
            voice=voices.default,
        )
    return _kokoro(name, speech, catalogue)


def _kokoro(name: str, speech: SpeechPlan, catalogue: Catalogue) -> Route:
    voices = catalogue.voices_of("speaches")
    return Route(
        name=name,
        backend="speaches",
        model=speech.kokoro,
        mode="audio_speech",
        fallback=None,
        since=phases.SPEECH,
        voices=voices.by_name,
        voice=voices.default,
    )
