"""Ollama's part of the plan: its size by the node's RAM, and what its models take."""

from synapse.catalogue import Catalogue
from synapse.plan.ollama_memory import OllamaWorkload, ollama_model_memory
from synapse.plan.served import OllamaModelPlan, OllamaPlan
from synapse.settings.settings import Settings

# The deployment guide's table: node RAM from here on, models loaded at once, memory limit in GiB.
_SIZING_TABLE = ((0, 1, 24.0), (64, 1, 48.0), (128, 2, 96.0), (256, 3, 192.0))
_ALWAYS = "-1"
_WHILE_OTHERS_WAIT = "30m"


def plan_ollama(settings: Settings, catalogue: Catalogue) -> OllamaPlan:
    """Choose what the config leaves open, and size every model that is pulled."""
    wanted = settings.ollama
    _, table_models, table_limit_gib = max(
        row for row in _SIZING_TABLE if row[0] <= settings.node.memory_gib
    )
    slots = wanted.max_loaded_models or table_models
    all_fit = len(wanted.models) <= slots
    return OllamaPlan(
        image=wanted.image or catalogue.image("ollama").reference,
        memory_limit_gib=wanted.memory_gib or table_limit_gib,
        max_loaded_models=slots,
        num_parallel=wanted.num_parallel,
        context_tokens=wanted.context_tokens,
        keep_alive=wanted.keep_alive or (_ALWAYS if all_fit else _WHILE_OTHERS_WAIT),
        default_model=wanted.default_model,
        models=tuple(_model(tag, settings, catalogue) for tag in wanted.models),
        ingress_host=wanted.ingress_host,
    )


def _model(tag: str, settings: Settings, catalogue: Catalogue) -> OllamaModelPlan:
    found = catalogue.by_ollama(tag)
    embeddings = found.model.kind == "embedding"
    memory = ollama_model_memory(
        OllamaWorkload(
            architecture=found.model.architecture,
            format=found.format,
            num_ctx=settings.ollama.context_tokens,
            num_parallel=settings.ollama.num_parallel,
            embedding=embeddings,
        )
    )
    return OllamaModelPlan(
        tag=tag,
        file_gib=found.format.weights_gib,
        ram_gib=memory.total_gib,
        embeddings=embeddings,
    )


def loaded_ram_gib(ollama: OllamaPlan) -> float:
    """RAM of the costliest set of models that the slots allow at once."""
    largest = sorted((model.ram_gib for model in ollama.models), reverse=True)
    return sum(largest[: ollama.max_loaded_models])
