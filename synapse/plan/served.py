"""What the plan tells each program that serves models, and the routes that lead to them."""

from typing import Literal

from pydantic import Field, computed_field

from synapse.plan.part import Line, Part


class EnginePlan(Part):
    """The engine on the GPU: what it is told, and what it needs for itself."""

    kind: Literal["vllm", "sglang"]
    service: str
    image: str
    version: str
    unsupported: str = Field(description="why this version cannot run on the GPU, or empty")
    model: str = Field(description="name and weight format in the catalogue")
    repository: str = Field(description="repository of the weights")
    gated: bool = Field(description="whether a download needs a token")
    weights_gib: float
    served_names: tuple[str, ...] = Field(description="model names that the engine answers to")
    gpu_memory_utilization: float
    max_model_len: int
    longest_model_len: int = Field(description="the longest sequence that the model knows")
    max_num_seqs: int | None
    max_num_batched_tokens: int | None
    kv_cache_dtype: Literal["auto", "fp8"]
    enforce_eager: bool
    attention_backend: str | None = Field(description="None: the engine's own choice")
    attention_by: Literal["flag", "environment"]
    sleep_mode: bool
    share_gib: float = Field(description="utilisation × total")
    needs: tuple[Line, ...] = Field(description="what must fit within the share")
    outside_gib: float = Field(description="VRAM that the engine takes beyond its share")
    kv_gib: float = Field(description="what is left for the KV cache")
    kv_tokens: int

    @computed_field
    @property
    def needs_gib(self) -> float:
        """The least share with which the engine starts."""
        return sum(line.gib for line in self.needs)


class OllamaModelPlan(Part):
    """A model that Ollama pulls."""

    tag: str
    file_gib: float
    ram_gib: float = Field(description="RAM when loaded: weights, KV caches, buffers")
    embeddings: bool


class OllamaPlan(Part):
    """Ollama on the CPU."""

    image: str
    memory_limit_gib: float
    max_loaded_models: int
    num_parallel: int
    context_tokens: int
    keep_alive: str
    default_model: str
    models: tuple[OllamaModelPlan, ...]
    ingress_host: str | None


class SttPlan(Part):
    """Speech to text: which Whisper, where, and how long a clip takes it."""

    image: str
    device: Literal["cpu", "gpu"]
    model: str = Field(description="its size, by the config's name for it")
    repository: str
    compute_type: str
    threads: int
    vram_gib: float
    ram_gib: float = Field(description="RAM that the model was seen to take; 0: nobody measured it")
    seconds: float = Field(description="what the bound's clip takes, by published figures")
    formula: str = Field(description="how these seconds came about")


class Licence(Part):
    """Who has acknowledged the licence of XTTS's weights."""

    by: str
    on: str = Field(description="ISO date")


class SpeechWeights(Part):
    """Files of a speech model that a Job downloads."""

    name: str = Field(description="its name in the catalogue")
    repository: str
    gib: float


class SpeechPlan(Part):
    """Phase 4: the voices, and speech to text."""

    wanted: Literal["xtts-v2", "kokoro", "piper"]
    voice: Literal["xtts-v2", "kokoro", "piper"] = Field(
        description="the voice that is deployed beside kokoro"
    )
    licence: Licence | None
    coqui_image: str
    piper_image: str
    stt: SttPlan
    kokoro: str = Field(description="repository of the voice that is always there")
    weights: tuple[SpeechWeights, ...]


class Route(Part):
    """A name that clients ask for, and who answers it."""

    name: str
    backend: Literal["engine", "ollama", "coqui", "speaches", "piper"]
    model: str = Field(description="the model's name at the backend")
    mode: Literal["chat", "embedding", "audio_speech", "audio_transcription"]
    fallback: str | None = Field(description="the route that answers when the backend is down")
    since: int = Field(description="the phase from which it is routed")
    voices: dict[str, str] = Field({}, description="the backend's voice for each known name")
    voice: str | None = Field(None, description="the backend's voice for any other name")


class GatewayPlan(Part):
    """LiteLLM."""

    image: str
    kubectl_image: str
    replicas: int
    routes: tuple[Route, ...]
    unknown_models: Literal["fallback", "reject"]
    default_route: str
    first_token_seconds: int
    engine_hang_seconds: int
    request_seconds: int = Field(description="longest that an answer may take")
    metrics_port: int | None = Field(description="None: no metrics are served")
    key_version: int
    host: str | None
    tls_secret: str
    restart_schedule: str

    def routes_in(self, phase: int) -> tuple[Route, ...]:
        """The routes that the gateway has in a phase."""
        return tuple(route for route in self.routes if route.since <= phase)
