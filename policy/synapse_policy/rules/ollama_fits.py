"""Ollama's loaded models fit its memory limit, or the kernel kills it under load."""

from collections.abc import Sequence

from pulumi_policy import ResourceValidationArgs

from synapse_policy.budgets import OllamaModels
from synapse_policy.elsewhere import workload_elsewhere
from synapse_policy.judging import Report, Scope, resource_rule
from synapse_policy.ollama_sum import OllamaAsk, asked_by, loaded
from synapse_policy.ram_sets import ollama_ask
from synapse_policy.reading import UnreadableError
from synapse_policy.root import is_root, plan_in
from synapse_policy.stack import workload_below_root
from synapse_policy.words import exceeds, shown, total_gib
from synapse_policy.workload import MODELS_ANNOTATION, Workload


def check(args: ResourceValidationArgs, report: Report, elsewhere: OllamaModels) -> None:
    """Judge the plan's Ollama, and each Ollama by its own variables and annotations."""
    if is_root(args):
        ollama = plan_in(args).ollama
        tags = [model.tag for model in ollama.models]
        limit_gib = ollama.memory_limit_gib
        _judge("the plan's Ollama", tags, ollama_ask(ollama), limit_gib, report)
        return
    workload = workload_below_root(args)
    if workload is not None:
        _judge_workload(workload, workload.ollama_tags, report)
        return
    workload = workload_elsewhere(args)
    if workload is not None and elsewhere.models:
        _judge_workload(workload, workload.ollama_tags or elsewhere.models, report)


def _judge_workload(workload: Workload, tags: Sequence[str], report: Report) -> None:
    if workload.ollama is None:
        return
    if not tags:
        raise UnreadableError(
            f"{workload.label} does not say which models it loads; set the annotation "
            f'{MODELS_ANNOTATION}: "llama3.2:3b,llama3.1:8b"'
        )
    container_limit_gib = workload.ollama.memory_gib("limits")
    if container_limit_gib is None:
        raise UnreadableError(f"{workload.label} has no resources.limits.memory; set it")
    try:
        ask = asked_by(workload.ollama)
        _judge(workload.label, tags, ask, container_limit_gib, report)
    except UnreadableError as problem:
        raise UnreadableError(f"{workload.label}: {problem}") from None


def _judge(
    subject: str, tags: Sequence[str], ask: OllamaAsk, limit_gib: float, report: Report
) -> None:
    models = loaded(tags, ask)
    if exceeds(total_gib(models), limit_gib):
        report(
            f"{subject} with {ask.slots} models loaded, {ask.parallel} requests of {ask.context} "
            f"tokens each: {shown(models, limit_gib)}, its memory limit; raise ollama.memory_gib "
            "or lower ollama.max_loaded_models, ollama.num_parallel or ollama.context_tokens"
        )


RULES = (
    resource_rule(
        name="ollama-fits-its-limit",
        description="The models that Ollama may hold at once fit its memory limit.",
        reason=(
            "Ollama loads models on request: past its limit the kernel kills it under load, not "
            "at its start."
        ),
        cure=(
            "Raise its memory limit, or lower OLLAMA_MAX_LOADED_MODELS, OLLAMA_NUM_PARALLEL or "
            "the context."
        ),
        check=check,
        settings=OllamaModels,
        scope=Scope.BUDGET,
    ),
)
