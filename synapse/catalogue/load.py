"""The catalogue's YAML files, read once and completed by what can be counted."""

from functools import lru_cache
from importlib import resources
from typing import Final, NotRequired, TypedDict, cast

import yaml

from synapse.catalogue.schema import Architecture, Catalogue
from synapse.catalogue.units import gib_from_gb
from synapse.catalogue.weights import counted_weights_gib

MODEL_FILES: Final = ("llama", "qwen2_5", "qwen3", "mistral", "gemma", "embedding")

# libyaml's parser where PyYAML has it: ten times faster, the same result
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _FormatEntry(TypedDict):
    name: str
    weights_gib: NotRequired[float]
    weights_origin: NotRequired[str]
    file_gb: NotRequired[float]


class _ModelEntry(TypedDict):
    params_billion: float
    vision_params_billion: NotRequired[float]
    architecture: dict[str, object]
    formats: list[_FormatEntry]


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """All facts; read and checked once in a process."""
    models = [model for family in MODEL_FILES for model in _models(f"models/{family}.yaml")]
    return Catalogue.model_validate(
        {
            "models": models,
            "gpus": _read("gpus.yaml"),
            "images": _read("images.yaml"),
            "speech": _read("speech.yaml"),
            "voices": _read("voices.yaml"),
            "vllm": _read("vllm.yaml"),
        }
    )


def _read(name: str) -> object:
    text = resources.files("synapse.catalogue").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - both loaders are the safe ones


def _models(name: str) -> list[_ModelEntry]:
    entries = cast(list[_ModelEntry], _read(name))
    for entry in entries:
        # one object for the models that share an architecture by a YAML anchor
        architecture = Architecture.model_validate(entry["architecture"])
        for weights in entry["formats"]:
            _complete(weights, entry, architecture)
    return entries


def _complete(weights: _FormatEntry, entry: _ModelEntry, architecture: Architecture) -> None:
    """Fill in the weights of a format: an engine's report, else the files, else a count."""
    if "weights_gib" in weights:
        weights["weights_origin"] = "reported"
    elif "file_gb" in weights:
        weights["weights_gib"] = gib_from_gb(weights["file_gb"])
        weights["weights_origin"] = "files"
    else:
        vision = entry.get("vision_params_billion", 0.0)
        counted = counted_weights_gib(
            architecture, entry["params_billion"], vision, weights["name"]
        )
        weights["weights_gib"] = counted
        weights["weights_origin"] = "computed"
