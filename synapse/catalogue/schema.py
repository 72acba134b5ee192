"""The shape of the catalogue: frozen records, each number with the source it was read in."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, StringConstraints

from synapse.catalogue.errors import UnknownEntryError
from synapse.catalogue.release import EngineRelease, EngineReleases
from synapse.catalogue.units import gib_from_gb

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]

EngineFormat = Literal["bf16", "fp8", "int8-w8a8", "awq-int4", "gptq-int4", "nvfp4"]
GgufFormat = Literal["f16", "q8_0", "q6_K", "q5_K_M", "q4_K_M", "q4_0"]
WeightFormat = EngineFormat | GgufFormat


class Fact(BaseModel):
    """Base of every record: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SlidingWindow(Fact):
    """Layers that keep only the last `window_tokens` tokens of the sequence."""

    window_tokens: PositiveInt
    local_layers: PositiveInt


class Architecture(Fact):
    """What a model's config.json says, as far as memory depends on it."""

    layers: PositiveInt
    attention_heads: PositiveInt
    kv_heads: PositiveInt
    head_dim: PositiveInt
    hidden: PositiveInt
    intermediate: PositiveInt
    vocab: PositiveInt
    tied_embeddings: bool
    max_context_tokens: PositiveInt
    sliding_window: SlidingWindow | None = None
    source: Text


class ModelFormat(Fact):
    """One published set of weights of a model.

    `weights_gib` is what the loaded weights take: an engine's own figure, the size of the files, or
    a count (weights.py); `weights_origin` says which. The first repository and the first tag are
    the recommended ones, the others name the same weights. `gated`: the download needs a token.
    """

    name: WeightFormat
    weights_gib: PositiveFloat
    weights_origin: Literal["reported", "files", "computed"]
    file_gb: PositiveFloat | None = None
    hugging_face: tuple[Text, ...] = ()
    ollama: tuple[Text, ...] = ()
    gated: bool = False
    source: Text

    @property
    def disk_gib(self) -> float:
        """What the download takes on a volume: the published size, else that of the weights."""
        return self.weights_gib if self.file_gb is None else gib_from_gb(self.file_gb)


class Model(Fact):
    """A model: its architecture once, and the formats it is published in."""

    name: Text
    title: Text
    kind: Literal["chat", "code", "embedding"]
    params_billion: PositiveFloat
    vision_params_billion: Annotated[float, Field(ge=0)] = 0.0
    licence: Text
    architecture: Architecture
    formats: tuple[ModelFormat, ...]

    def format(self, name: str) -> ModelFormat:
        """The format called `name`; UnknownEntryError if the model has none."""
        for candidate in self.formats:
            if candidate.name == name:
                return candidate
        known = (candidate.name for candidate in self.formats)
        raise UnknownEntryError(f"format of {self.name}", name, known)


class FoundFormat(Fact):
    """A model and the one of its formats that a repository or a tag stands for."""

    model: Model
    format: ModelFormat


class Gpu(Fact):
    """A GPU; `total_gib` is what an engine sees, never the figure on the box."""

    name: Text
    title: Text
    nominal_gb: PositiveInt
    total_gib: PositiveFloat
    total_origin: Literal["reported", "derived"]
    compute_capability: Annotated[str, StringConstraints(pattern=r"^\d+\.\d$")]
    datacenter: bool
    product_labels: tuple[Text, ...] = ()
    source: Text

    @property
    def sm(self) -> str:
        """The architecture as compilers name it: 12.0 is sm_120."""
        return "sm_" + self.compute_capability.replace(".", "")


class Image(Fact):
    """A container image pinned by tag, and by digest where one is known."""

    name: Text
    repository: Text
    tag: Text
    digest: Digest | None
    digest_note: Text | None = None
    version: Text
    uid: Annotated[int, Field(ge=0)] | None
    read_only_root: bool | None
    writable_paths: tuple[Text, ...] = ()
    port: PositiveInt | None = None
    note: Text | None = None
    source: Text

    @property
    def reference(self) -> str:
        """What a pod spec names: repository:tag, and the digest if it is known."""
        pinned = f"{self.repository}:{self.tag}"
        return f"{pinned}@{self.digest}" if self.digest else pinned


class SpeechSpeed(Fact):
    """How long somebody's machine took for a clip: one published figure."""

    clip_seconds: PositiveFloat
    took_seconds: PositiveFloat
    threads: PositiveInt | None = None
    machine: Text
    source: Text


class SpeechModel(Fact):
    """What a speech model was seen to take; null where nobody measured it.

    `choice` is the name by which the config asks for it; without one it is a measurement alone.
    `file_gb` is the published size of what is downloaded.
    """

    name: Text
    task: Literal["stt", "tts"]
    engine: Text
    compute_type: Text
    choice: Text | None = None
    device: Literal["cpu", "gpu"] | None = None
    vram_gib: PositiveFloat | None
    ram_gib: PositiveFloat | None
    file_gb: PositiveFloat | None = None
    speed: SpeechSpeed | None = None
    hugging_face: Text | None = None
    licence: Text
    commercial_use: bool
    obsolete: Text | None = None
    source: Text

    @property
    def disk_gib(self) -> float:
        """What the download takes on a volume; 0 where no size is known."""
        return gib_from_gb(self.file_gb) if self.file_gb else 0.0


class Voices(Fact):
    """The voices of a speech server, and which of them stand for other names."""

    server: Literal["coqui", "speaches", "piper"]
    default: Text
    openai: dict[Text, Text]
    own: tuple[Text, ...]
    source: Text

    @property
    def by_name(self) -> dict[str, str]:
        """The server's voice for each name that is known, its own names among them."""
        return {**self.openai, **{name: name for name in self.own}}


class Catalogue(Fact):
    """All facts, and the look-ups by each name they are known by."""

    models: tuple[Model, ...]
    gpus: tuple[Gpu, ...]
    images: tuple[Image, ...]
    speech: tuple[SpeechModel, ...]
    voices: tuple[Voices, ...]
    vllm: EngineReleases

    @cached_property
    def _models(self) -> dict[str, Model]:
        return {model.name: model for model in self.models}

    @cached_property
    def _hugging_face(self) -> dict[str, FoundFormat]:
        return {
            repository.casefold(): FoundFormat(model=model, format=weights)
            for model in self.models
            for weights in model.formats
            for repository in weights.hugging_face
        }

    @cached_property
    def _ollama(self) -> dict[str, FoundFormat]:
        return {
            tag: FoundFormat(model=model, format=weights)
            for model in self.models
            for weights in model.formats
            for tag in weights.ollama
        }

    def model(self, name: str) -> Model:
        """The model of that catalogue name; UnknownEntryError otherwise."""
        if name not in self._models:
            raise UnknownEntryError("model", name, self._models)
        return self._models[name]

    def by_hugging_face(self, repository: str) -> FoundFormat:
        """The model and format behind a Hugging Face repository; UnknownEntryError otherwise."""
        found = self._hugging_face.get(repository.casefold())
        if found is None:
            entries = self._hugging_face.values()
            known = {known for entry in entries for known in entry.format.hugging_face}
            raise UnknownEntryError("Hugging Face repository", repository, known)
        return found

    def by_ollama(self, tag: str) -> FoundFormat:
        """The model and format behind an Ollama tag (":latest" may be left out)."""
        wanted = tag.removesuffix(":latest")
        if wanted not in self._ollama:
            raise UnknownEntryError("Ollama model", tag, self._ollama)
        return self._ollama[wanted]

    def gpu(self, name: str) -> Gpu:
        """The GPU of that catalogue name or Kubernetes product label."""
        for candidate in self.gpus:
            if name == candidate.name or name in candidate.product_labels:
                return candidate
        raise UnknownEntryError("GPU", name, (candidate.name for candidate in self.gpus))

    def image(self, name: str) -> Image:
        """The image of that catalogue name; UnknownEntryError otherwise."""
        for candidate in self.images:
            if candidate.name == name:
                return candidate
        raise UnknownEntryError("image", name, (candidate.name for candidate in self.images))

    def speech_model(self, name: str) -> SpeechModel:
        """The speech model of that catalogue name; UnknownEntryError otherwise."""
        for candidate in self.speech:
            if candidate.name == name:
                return candidate
        raise UnknownEntryError("speech model", name, (item.name for item in self.speech))

    def voices_of(self, server: str) -> Voices:
        """The voices of a speech server; UnknownEntryError otherwise."""
        for one in self.voices:
            if one.server == server:
                return one
        raise UnknownEntryError("speech server", server, (one.server for one in self.voices))

    def stt_choices(self, device: str) -> tuple[SpeechModel, ...]:
        """The models that can transcribe on a device, the best transcriber first."""
        return tuple(one for one in self.speech if one.choice and one.device == device)

    def stt_choice(self, name: str, device: str) -> SpeechModel:
        """The model of that choice on a device; UnknownEntryError otherwise."""
        for one in self.stt_choices(device):
            if one.choice == name:
                return one
        known = (str(one.choice) for one in self.stt_choices(device))
        raise UnknownEntryError(f"speech-to-text model on the {device}", name, known)


__all__ = [
    "Architecture",
    "Catalogue",
    "EngineFormat",
    "EngineRelease",
    "FoundFormat",
    "GgufFormat",
    "Gpu",
    "Image",
    "Model",
    "ModelFormat",
    "SlidingWindow",
    "SpeechModel",
    "WeightFormat",
]
