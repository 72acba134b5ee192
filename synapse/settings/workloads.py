"""The stack's own services, a section each. A default of None means that the plan chooses."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from synapse.catalogue import load_catalogue
from synapse.settings.base import PodSize, Section, at_most, listed_once
from synapse.settings.catalogued import EngineModel, OllamaModel
from synapse.settings.fields import (
    Cores,
    Count,
    Cron,
    Date,
    DnsLabel,
    Duration,
    Fraction,
    Gib,
    HostName,
    Image,
    ServiceName,
    Text,
    Tokens,
)
from synapse.settings.rules import Broken, rule


class Ollama(Section):
    """Phase 1: Ollama on the CPU."""

    memory_gib: Gib | None = Field(
        None, description="memory limit; default: by the sizing table for the node's RAM"
    )
    memory_request_gib: Gib | None = Field(
        None, description="memory request; default: a third of the limit"
    )
    cpu_request: Cores = Field(8, description="CPU request")
    cpu_limit: Cores = Field(32, description="CPU limit")
    max_loaded_models: Count | None = Field(
        None, description="models in RAM at once; default: by the sizing table"
    )
    num_parallel: Count = Field(2, description="requests that a model answers at once")
    context_tokens: Tokens = Field(8192, description="context of one request")
    keep_alive: Duration | None = Field(
        None, description="how long an idle model stays loaded; default: always if all fit"
    )
    volume_gib: Gib = Field(200, description="size of the model volume")
    models: Annotated[tuple[OllamaModel, ...], Field(strict=False)] = Field(
        ("llama3.2:3b", "llama3.1:8b"), description="models to pull and to route, by their tag"
    )
    default_model: OllamaModel = Field(
        "llama3.1:8b", description="answers unknown names and stands in for the engine"
    )
    image: Image | None = Field(None, description="image; default: the catalogue's")
    ingress_host: HostName | None = Field(
        None, description="host of an HTTPS route straight to Ollama; default: none"
    )

    @rule("cpu_request", "cpu_limit")
    def _cpu_request_within_limit(self) -> Iterator[Broken]:
        yield from at_most("cpu_request", self.cpu_request, "cpu_limit", self.cpu_limit)

    @rule("memory_request_gib", "memory_gib")
    def _memory_request_within_limit(self) -> Iterator[Broken]:
        if self.memory_request_gib is not None and self.memory_gib is not None:
            yield from at_most(
                "memory_request_gib", self.memory_request_gib, "memory_gib", self.memory_gib
            )

    @rule("models")
    def _models_differ(self) -> Iterator[Broken]:
        yield from listed_once("models[{}]", self.models)


class SleepMode(Section):
    """vLLM's sleep mode: off unless somebody attests that it was tested on this GPU."""

    attested_by: Text = Field(description="who watched the burn-in")
    attested_on: Date = Field(description="when")
    residue_gib: Gib = Field(description="VRAM that the sleeping engine was measured to hold")


class EngineBuild(Section):
    """Build and push of the custom engine image, by the operator's own container tool."""

    context: Text = Field(description="directory with the Dockerfile")
    tool: Literal["docker", "podman", "nerdctl"] = Field("docker", description="container tool")


class EngineKind(StrEnum):
    """The program that serves the model on the GPU."""

    VLLM = "vllm"
    SGLANG = "sglang"


class Engine(PodSize):
    """Phase 2: the engine on the GPU."""

    kind: Annotated[EngineKind, Field(strict=False)] = Field(
        EngineKind.VLLM, description="vllm or sglang"
    )
    model: EngineModel = Field("llama-3.1-8b", description="model, by its name in the catalogue")
    weights: Text = Field("awq-int4", description="weight format of the model in the catalogue")
    also_served_as: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        (), description="further names that the engine itself answers to"
    )
    image: Image | None = Field(None, description="image; default: the catalogue's for the kind")
    version: Text | None = Field(
        None, description="engine version inside `image`; default: read from its tag"
    )
    service_name: ServiceName = Field("vllm-inference", description="name of the Service")
    gpu_memory_utilization: Fraction | None = Field(
        None, description="part of the GPU's memory; default: what fits every state"
    )
    max_model_len: Tokens = Field(8192, description="longest sequence")
    max_num_seqs: Count | None = Field(None, description="sequences at once; default: engine's")
    max_num_batched_tokens: Tokens | None = Field(
        None, description="tokens in one batch; default: the engine's"
    )
    kv_cache_dtype: Literal["auto", "fp8"] = Field("auto", description="type of the KV cache")
    enforce_eager: bool = Field(False, description="run without CUDA graphs")
    cpu_request: Cores = Field(4, description="CPU request")
    cpu_limit: Cores = Field(16, description="CPU limit")
    memory_request_gib: Gib = Field(20, description="memory request")
    memory_limit_gib: Gib = Field(32, description="memory limit")
    cache_volume_gib: Gib = Field(100, description="size of the Hugging Face cache volume")
    sleep_mode: SleepMode | None = Field(None, description="attestation that turns it on")
    build: EngineBuild | None = Field(None, description="build and push the image; default: no")

    @property
    def named_version(self) -> str | None:
        """The engine version by `version` or the image's tag; None for the catalogue's image."""
        if self.version is not None or self.image is None:
            return self.version
        return self.image.partition("@")[0].rpartition("/")[2].partition(":")[2].removeprefix("v")

    @rule("model", "weights")
    def _weights_are_published(self) -> Iterator[Broken]:
        formats = load_catalogue().model(self.model).formats
        published = [one.name for one in formats if one.hugging_face]
        if self.weights not in published:
            yield Broken(
                "weights",
                self.weights,
                f"a format that {self.model} is published in: {', '.join(published) or 'none'}",
                "name one of these" if published else "choose another engine.model",
            )

    @rule("kind", "version", "image")
    def _version_is_known(self) -> Iterator[Broken]:
        """The plan's sums depend on vLLM's version, whose tags may say anything."""
        if self.kind is not EngineKind.VLLM or self.named_version is None:
            return
        try:
            load_catalogue().vllm.release(self.named_version)
        except ValueError:
            named = ("version", self.version) if self.version else ("image", self.image)
            yield Broken(
                *named,
                "an engine version such as 0.20.2, in `version` or as the image's tag",
                "set engine.version to that of the engine in the image",
            )


class Backend(StrEnum):
    """What can stand behind a route."""

    ENGINE = "engine"
    OLLAMA = "ollama"


class RouteSetting(Section):
    """A public model name and what answers it."""

    name: Text = Field(description="the name that clients ask for")
    backend: Annotated[Backend, Field(strict=False)] = Field(description="engine or ollama")
    model: OllamaModel | None = Field(None, description="ollama: the model behind the name")

    @rule("backend", "model")
    def _ollama_routes_name_a_model(self) -> Iterator[Broken]:
        if self.backend is Backend.OLLAMA and self.model is None:
            yield Broken("model", None, "a model for backend ollama", "add `model:`")
        if self.backend is Backend.ENGINE and self.model is not None:
            yield Broken("model", self.model, "no model for backend engine", "drop `model:`")


class Gateway(PodSize):
    """Phase 3: LiteLLM."""

    image: Image | None = Field(None, description="image; default: the catalogue's")
    replicas: Count = Field(2, description="replicas")
    cpu_request: Cores = Field(2, description="CPU request of a replica")
    cpu_limit: Cores = Field(4, description="CPU limit of a replica")
    memory_request_gib: Gib = Field(2, description="memory request of a replica")
    memory_limit_gib: Gib = Field(4, description="memory limit of a replica")
    routes: Annotated[tuple[RouteSetting, ...], Field(strict=False)] = Field(
        (RouteSetting(name="llama-3.2-8b", backend=Backend.ENGINE),),
        description="public names beside those of Ollama's models",
    )
    unknown_models: Literal["fallback", "reject"] = Field(
        "fallback", description="an unknown name goes to Ollama's default model, or gets a 404"
    )
    first_token_seconds: Count = Field(
        30, description="longest wait for a stream of the engine to begin; then Ollama answers"
    )
    engine_hang_seconds: Count = Field(
        10, description="an engine that sends nothing for so long is given up, until it does again"
    )
    metrics: bool = Field(True, description="serve metrics, on a port for Prometheus alone")
    key_version: Count = Field(
        1, description="raise it by one to change the key; the key before it is accepted, too"
    )
    host: HostName | None = Field(None, description="public host; default: no ingress")
    tls_secret: DnsLabel = Field(
        "arunlabs-wildcard-tls", description="TLS secret in the stack's namespace"
    )
    restart_schedule: Cron = Field("0 4 * * *", description="when the replicas are restarted")

    @rule("routes.*.name")
    def _route_names_differ(self) -> Iterator[Broken]:
        yield from listed_once("routes[{}].name", [route.name for route in self.routes])


class VoiceKind(StrEnum):
    """The voice that is wanted; Kokoro on the CPU is there beside each, and stands in for it."""

    XTTS = "xtts-v2"
    KOKORO = "kokoro"
    PIPER = "piper"


class LicenceAcknowledgement(Section):
    """Who has read the licence of XTTS's weights (CPML: no commercial use), and answers for it."""

    by: Text = Field(description="who acknowledges the licence")
    date: Date = Field(description="when; `on` would be a truth value in YAML")


class TextToSpeech(PodSize):
    """The voice: xtts-v2 by coqui-tts on the GPU, kokoro by speaches, or the guide's piper."""

    kind: Annotated[VoiceKind, Field(strict=False)] = Field(
        VoiceKind.XTTS,
        description="xtts-v2 (GPU, needs licence_acknowledged), kokoro (CPU, alone), "
        "or piper (the guide's, obsolete)",
    )
    licence_acknowledged: LicenceAcknowledgement | None = Field(
        None, description="xtts-v2: without it phase 4 speaks with kokoro alone, and says so"
    )
    vram_gib: Gib = Field(12, description="xtts-v2: VRAM, reserved until measured less")
    cpu_request: Cores = Field(4, description="xtts-v2: CPU request")
    cpu_limit: Cores = Field(8, description="xtts-v2: CPU limit")
    memory_request_gib: Gib = Field(8, description="xtts-v2: memory request")
    memory_limit_gib: Gib = Field(12, description="xtts-v2: memory limit")
    image: Image | None = Field(None, description="xtts-v2: image; default: the catalogue's")


class Piper(PodSize):
    """piper-tts, the deployment guide's voice: obsolete, runs for `tts.kind: piper` alone."""

    cpu_request: Cores = Field(1, description="CPU request")
    cpu_limit: Cores = Field(4, description="CPU limit")
    memory_request_gib: Gib = Field(1, description="memory request")
    memory_limit_gib: Gib = Field(4, description="memory limit")
    image: Image | None = Field(None, description="image; default: the catalogue's")


class SttDevice(StrEnum):
    """Where speech is transcribed."""

    CPU = "cpu"
    GPU = "gpu"
    AUTO = "auto"


class SpeechToText(PodSize):
    """speaches: faster-whisper, and Kokoro's voice."""

    device: Annotated[SttDevice, Field(strict=False)] = Field(
        SttDevice.AUTO, description="cpu, gpu, or auto: the CPU unless the GPU has room"
    )
    model: Text | None = Field(
        None,
        description="Whisper's size, such as large-v3 (the guide's), large-v3-turbo, small or "
        "base; default: the best that answers 10 s of speech in 2 s",
    )
    cpu_request: Cores = Field(4, description="CPU request")
    cpu_limit: Cores = Field(8, description="CPU limit")
    memory_request_gib: Gib = Field(6, description="memory request")
    memory_limit_gib: Gib = Field(16, description="memory limit")
    image: Image | None = Field(None, description="image; default: the catalogue's for the device")

    @rule("device", "model")
    def _model_is_known(self) -> Iterator[Broken]:
        if self.model is None:
            return
        devices = ("cpu", "gpu") if self.device is SttDevice.AUTO else (self.device.value,)
        known = {
            one.choice: None
            for device in devices
            for one in load_catalogue().stt_choices(device)
            if one.choice
        }
        if self.model not in known:
            yield Broken(
                "model",
                self.model,
                f"a Whisper of the catalogue on the {' or '.join(devices)}: {', '.join(known)}",
                "name one of these, or leave the key out",
            )


class Speech(Section):
    """Phase 4: text to speech, and speech to text."""

    tts: TextToSpeech = Field(default_factory=TextToSpeech, description="the voice")
    stt: SpeechToText = Field(default_factory=SpeechToText, description="speaches")
    piper: Piper = Field(default_factory=Piper, description="piper-tts, the guide's variant")
    volume_gib: Gib = Field(30, description="size of the volume of speech models")


class Monitoring(PodSize):
    """Phase 5, sized in the plan and not built yet."""

    cpu_request: Cores = Field(1, description="CPU request of all monitoring pods together")
    cpu_limit: Cores = Field(4, description="CPU limit of all monitoring pods together")
    memory_request_gib: Gib = Field(2, description="memory request of all of them together")
    memory_limit_gib: Gib = Field(4, description="memory limit of all of them together")
    volume_gib: Gib = Field(50, description="size of the volume of metrics")
