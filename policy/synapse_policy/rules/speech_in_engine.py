"""No speech model in the engine: the seeds' decision DA-3."""

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from synapse_policy.containers import Container
from synapse_policy.judging import Report, resource_rule
from synapse_policy.recognised import workloads_in

_SPEECH = ("whisper", "xtts", "kokoro", "wav2vec", "parakeet", "speecht5")
"""In the names of models that hear or speak and do nothing else."""
_SPEECH_TASKS = ("transcription", "translation")
"""What vLLM is told to do with such a model (--task, later --runner)."""


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge the models that an engine loads, and the names that it answers to."""
    for workload in workloads_in(args):
        for engine in workload.engines:
            for flag, name in _served(engine):
                report(
                    f"container {engine.name!r} of {workload.label} serves a speech model, {flag} "
                    f"{name!r}; serve it by faster-whisper on the CPU (speaches), and drop it here"
                )


def _served(engine: Container) -> Iterator[tuple[str, str]]:
    flags = engine.command_line
    named = [("--model", name) for name in flags.values("--model")]
    named += [("--model-path", name) for name in flags.values("--model-path")]
    named += [("--served-model-name", name) for name in flags.values("--served-model-name")]
    positional = flags.served_model or next(iter(flags.words), "")
    if positional and not positional.startswith("-"):
        named.append(("model", positional))
    for flag, name in named:
        if any(speech in name.casefold() for speech in _SPEECH):
            yield flag, name
            return
    task = flags.value("--task", "--runner")
    if task in _SPEECH_TASKS:
        yield "--task", task


RULES = (
    resource_rule(
        name="no-whisper-in-engine",
        description="The engine on the GPU serves no Whisper or other speech model.",
        reason=(
            "A speech model in the engine takes VRAM from the KV cache all day for the few seconds "
            "in which it is asked; faster-whisper on the CPU answers quickly enough."
        ),
        cure="Drop the model from the engine; speech to text is speaches' part (phase 4).",
        check=check,
    ),
)
