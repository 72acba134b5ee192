"""The catalogue's facts, which both locks share; read when the first Synapse stack is seen."""

from typing import TYPE_CHECKING

from synapse_policy.reading import UnreadableError

if TYPE_CHECKING:
    from synapse.catalogue.release import EngineRelease
    from synapse.catalogue.schema import Catalogue, FoundFormat, Gpu


def _catalogue() -> "Catalogue":
    # Imported here: a program without a Synapse stack does not pay for the catalogue.
    from synapse.catalogue import load_catalogue  # noqa: PLC0415

    return load_catalogue()


def gpu(name: str) -> "Gpu":
    """Return a GPU by its name in the catalogue."""
    try:
        return _catalogue().gpu(name)
    except LookupError as miss:
        raise UnreadableError(f"gpu.model {name!r}: {miss}") from miss


def known_gpu(name: str) -> "Gpu | None":
    """Return a GPU by its name or product label, if the catalogue knows it."""
    try:
        return _catalogue().gpu(name)
    except LookupError:
        return None


def stock_engine_image() -> str:
    """Return vLLM's own image as the catalogue pins it."""
    return _catalogue().image("vllm").reference


def engine_weights(name: str) -> "FoundFormat":
    """Return the model and format of a repository, or of the catalogue's own `model/format`."""
    try:
        return _engine_weights(name)
    except LookupError as miss:
        raise UnreadableError(f"the engine's model {name!r}: {miss}") from miss


def is_engine_model(name: str) -> bool:
    """Whether an engine's model is known by this name."""
    try:
        _engine_weights(name)
    except LookupError:
        return False
    return True


def _engine_weights(name: str) -> "FoundFormat":
    from synapse.catalogue.schema import FoundFormat  # noqa: PLC0415 - as above

    catalogue = _catalogue()
    try:
        return catalogue.by_hugging_face(name)
    except LookupError:
        model_name, slash, format_name = name.rpartition("/")
        if not slash or model_name not in {model.name for model in catalogue.models}:
            raise
        model = catalogue.model(model_name)
        return FoundFormat(model=model, format=model.format(format_name))


def ollama_weights(tag: str) -> "FoundFormat":
    """Return the model and format of an Ollama tag."""
    try:
        return _catalogue().by_ollama(tag)
    except LookupError as miss:
        raise UnreadableError(f"Ollama's model {tag!r}: {miss}") from miss


def speech_files_gib(name: str) -> float | None:
    """Return the size of a speech model's files; None for what is no speech model."""
    try:
        return _catalogue().speech_model(name).disk_gib
    except LookupError:
        return None


def vllm_release(version: str) -> "EngineRelease":
    """Return what holds for a version of vLLM."""
    try:
        return _catalogue().vllm.release(version)
    except ValueError as problem:
        raise UnreadableError(f"the engine's version {version!r}: {problem}") from problem
