"""LiteLLM's config file as far as we write it: every key has a type, every reference a target.

The proxy's own check lets unknown keys, wrong types and a fallback to nothing pass. These models
are built before anything is registered, so such a file cannot be deployed.
"""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Mode = Literal["chat", "embedding", "audio_speech", "audio_transcription"]
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\s*]+$")]
"""A public name; no wildcard: what an unknown name gets is decided by synapse/inside."""


class Part(BaseModel):
    """A part of the file in which nothing stands that we do not mean."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LitellmParams(Part):
    """Where one deployment of a model is, and how it is called."""

    model: str = Field(pattern=r"^(hosted_vllm|openai)/\S+$")
    api_base: str = Field(pattern=r"^http://[a-z0-9.-]+:[0-9]+/v1$")
    api_key: Literal["none"] = Field(
        "none", description="the backend asks for no key; the client library wants one"
    )

    @property
    def provider(self) -> str:
        """By which of LiteLLM's clients the backend is called."""
        return self.model.partition("/")[0]


class ModelInfo(Part):
    """What the model is for."""

    mode: Mode


class ModelEntry(Part):
    """One public name with its deployment."""

    model_name: Name
    litellm_params: LitellmParams
    model_info: ModelInfo

    @model_validator(mode="after")
    def _provider_serves_the_mode(self) -> Self:
        serves: dict[str, tuple[Mode, ...]] = {
            "hosted_vllm": ("chat", "embedding"),
            "openai": ("audio_speech", "audio_transcription"),
        }
        if self.model_info.mode not in serves[self.litellm_params.provider]:
            raise ValueError(
                f"{self.model_name}: {self.litellm_params.provider} does not serve "
                f"{self.model_info.mode}"
            )
        return self


class RouterSettings(Part):
    """LiteLLM repeats nothing and leaves nobody out: synapse/inside sends a request elsewhere."""

    num_retries: Literal[0] = 0
    disable_cooldowns: Literal[True] = True
    timeout: int = Field(gt=0)


class LitellmSettings(Part):
    """How LiteLLM treats requests."""

    callbacks: tuple[Literal["synapse_inside.routing.hooks"]] = ("synapse_inside.routing.hooks",)
    drop_params: Literal[True] = True
    disable_hf_tokenizer_download: Literal[True] = Field(
        True, description="a stream to a Llama name would fetch one, and freeze a shut-in pod"
    )


class GeneralSettings(Part):
    """How the proxy is run."""

    master_key: Literal["os.environ/LITELLM_MASTER_KEY"] = "os.environ/LITELLM_MASTER_KEY"
    custom_auth: Literal["synapse_inside.auth.authorize"] = "synapse_inside.auth.authorize"
    disable_spend_logs: Literal[True] = True
    disable_error_logs: Literal[True] = True


class GatewayFile(Part):
    """The whole of the file."""

    model_list: tuple[ModelEntry, ...] = Field(min_length=1)
    router_settings: RouterSettings
    litellm_settings: LitellmSettings = LitellmSettings()
    general_settings: GeneralSettings = GeneralSettings()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        counted = Counter(entry.model_name for entry in self.model_list)
        if twice := [name for name, count in counted.items() if count > 1]:
            raise ValueError(f"model_list names {', '.join(twice)} twice")
        return self

    @property
    def modes(self) -> dict[str, Mode]:
        """What each public name is for."""
        return {entry.model_name: entry.model_info.mode for entry in self.model_list}


class BackendVoices(Part):
    """What the server of a route calls its voices."""

    default: str
    names: dict[str, str]


class RoutesFile(Part):
    """What synapse/inside is told: the fields of its `Told`."""

    modes: dict[Name, Mode]
    engine_fallbacks: dict[Name, Name]
    voice_fallbacks: dict[Name, Name]
    voices: dict[Name, BackendVoices]
    unknown_models: Literal["fallback", "reject"]
    default_route: Name
    engine_host: str
    engine_port: int
    engine_hang_seconds: int = Field(gt=0)
    first_token_seconds: int = Field(gt=0)
    metrics_port: int | None

    def check_against(self, file: GatewayFile) -> None:
        """Find each name in LiteLLM's file, with a stand-in that does the same.

        Raises:
            ValueError: a name leads to nobody, or to another kind of answer.
        """
        modes = file.modes
        if self.modes != modes:
            raise ValueError("the routes are not those of model_list")
        if modes.get(self.default_route) != "chat":
            raise ValueError(f"the default route {self.default_route} is no chat route")
        speak = {name for name, mode in modes.items() if mode == "audio_speech"}
        if set(self.voices) != speak:
            raise ValueError("the routes with voices are not those that speak")
        for fallbacks, who in (
            (self.engine_fallbacks, "the engine"),
            (self.voice_fallbacks, "that voice"),
        ):
            for name, stand_in in fallbacks.items():
                if stand_in not in modes:
                    raise ValueError(f"{name} falls back to {stand_in}, which is no route")
                if stand_in in fallbacks:
                    raise ValueError(f"{name} falls back to {stand_in}, which {who} answers, too")
                if modes[stand_in] != modes[name]:
                    raise ValueError(f"{name} falls back to {stand_in}, which is no {modes[name]}")
