"""Facts with their source: models, GPUs, images, engine releases, speech models. No config."""

from synapse.catalogue.errors import UnknownEntryError
from synapse.catalogue.load import load_catalogue
from synapse.catalogue.schema import (
    Architecture,
    Catalogue,
    EngineRelease,
    Gpu,
    Image,
    Model,
    ModelFormat,
    SpeechModel,
    SpeechSpeed,
)

__all__ = [
    "Architecture",
    "Catalogue",
    "EngineRelease",
    "Gpu",
    "Image",
    "Model",
    "ModelFormat",
    "SpeechModel",
    "SpeechSpeed",
    "UnknownEntryError",
    "load_catalogue",
]
