"""Model files on the volumes, by the catalogue's sizes."""

from collections.abc import Iterable

from synapse_policy import facts
from synapse_policy.engine_sum import asked_by
from synapse_policy.plan_view import PlanView, VolumeView
from synapse_policy.words import Addend
from synapse_policy.workload import Workload

FULL_FRACTION = 0.9
"""Part of a volume that files may fill: a file that is pulled anew lies beside the old one."""


def planned_files(volume: VolumeView, plan: PlanView) -> tuple[Addend, ...]:
    """Return the files that the plan puts on a volume, with the catalogue's sizes for models."""
    tags = {model.tag for model in plan.ollama.models}
    found = []
    for line in volume.lines:
        if line.what in tags:
            found.append(Addend(line.what, facts.ollama_weights(line.what).format.weights_gib))
        elif facts.is_engine_model(line.what):
            found.append(Addend(line.what, facts.engine_weights(line.what).format.weights_gib))
        else:
            speech_gib = facts.speech_files_gib(line.what)
            found.append(Addend(line.what, line.gib if speech_gib is None else speech_gib))
    return tuple(found)


def deployed_files(claim: str, workloads: Iterable[Workload]) -> tuple[Addend, ...]:
    """Return the models that the workloads on a claim name, each once."""
    found: dict[str, float] = {}
    for workload in workloads:
        if claim not in workload.claims:
            continue
        if workload.engine is not None:
            repository = asked_by(workload.engine).repository
            found[repository] = facts.engine_weights(repository).format.weights_gib
        for model in workload.ollama_tags:
            speech_gib = facts.speech_files_gib(model)
            if speech_gib is not None:
                found[model] = speech_gib
                continue
            by_tag = not facts.is_engine_model(model)
            weights = facts.ollama_weights(model) if by_tag else facts.engine_weights(model)
            found[model] = weights.format.weights_gib
    return tuple(Addend(model, gib) for model, gib in found.items())
