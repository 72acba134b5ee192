"""What brings pods in a resource of any program, and what of it hears or speaks."""

from collections.abc import Iterator

from pulumi_policy import PolicyResource, ResourceValidationArgs

from synapse_policy.containers import Container
from synapse_policy.objects import objects_in
from synapse_policy.workload import Workload

_SPEECH_IMAGES = (
    "speaches",
    "coqui-tts",
    "xtts-streaming-server",
    "openedai-speech",
    "faster-whisper",
    "kokoro-fastapi",
    "alltalk_tts",
)
_SPEECH_PROGRAM = "tts-server"


def workloads_in(resource: ResourceValidationArgs | PolicyResource) -> Iterator[Workload]:
    """Yield what brings pods in a resource: itself, or the items of a list."""
    for one in objects_in(resource):
        if one.workload is not None:
            yield one.workload


def speech_of(workload: Workload) -> tuple[Container, ...]:
    """Return the containers that hear or speak."""
    return tuple(
        one
        for one in workload.readable_containers
        if any(name in one.shown_image.program for name in _SPEECH_IMAGES)
        or any(word.endswith(_SPEECH_PROGRAM) for word in one.shown_command_line.words)
    )
