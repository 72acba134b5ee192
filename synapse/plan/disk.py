"""Volumes: their claims, what lies on them, and how full they may get."""

from synapse.plan.model import Volume
from synapse.plan.part import Line
from synapse.plan.served import EnginePlan, OllamaPlan, SpeechPlan
from synapse.settings.settings import Settings

OLLAMA_CLAIM = "ollama-models"
ENGINE_CLAIM = "huggingface-cache"
SPEECH_CLAIM = "speech-models"

# Risk R-6 of the implementation plan: a volume is grown before it is 80 % full.
_FULL_FRACTION = 0.8


def plan_volumes(
    settings: Settings, ollama: OllamaPlan, engine: EnginePlan, speech: SpeechPlan
) -> tuple[Volume, ...]:
    """List the claims of all phases: the namespace holds every one of them from the start."""
    return (
        _volume(
            OLLAMA_CLAIM,
            settings.ollama.volume_gib,
            *(Line(what=model.tag, gib=model.file_gib) for model in ollama.models),
        ),
        _volume(
            ENGINE_CLAIM,
            settings.engine.cache_volume_gib,
            Line(what=engine.model, gib=engine.weights_gib),
        ),
        _volume(
            SPEECH_CLAIM,
            settings.speech.volume_gib,
            *(Line(what=one.name, gib=one.gib) for one in speech.weights),
        ),
    )


def _volume(claim: str, size_gib: float, *lines: Line) -> Volume:
    return Volume(claim=claim, size_gib=size_gib, lines=lines, usable_gib=size_gib * _FULL_FRACTION)
