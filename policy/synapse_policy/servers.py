"""Facts about the programs that serve models: what they read, answer, and should not show.

One place for what the rules about Services, probes and routes know of each program.
"""

from dataclasses import dataclass

from synapse_policy.containers import Container
from synapse_policy.workload import Workload

_BESIDE_A_GATEWAY = ("exporter", "metrics", "client", "operator", "tests")
_GATEWAY_VARIABLES = ("LITELLM_SALT_KEY", "LITELLM_NON_ROOT", "LITELLM_UI_PATH")
"""What only the proxy reads; a program that uses the library sets the others as well."""
_GATEWAY_KEY = "LITELLM_MASTER_KEY"  # a client may have it, but takes none of the proxy's flags


@dataclass(frozen=True)
class Server:
    """What holds for one program.

    Attributes:
        reads: variables that it reads and that a Service could make, by its name alone or with one
            of its ports. Source beside each list.
        answers_by_model: paths beyond those of all programs whose answer comes from a model.
        not_for_clients: samples of the paths that only an operator or a scraper needs; a route
            that lets one of them pass lets outsiders at it.
    """

    name: str
    reads: tuple[str, ...] = ()
    answers_by_model: tuple[str, ...] = ()
    not_for_clients: tuple[str, ...] = ()


VLLM = Server(
    "vLLM",
    # vllm/envs.py; VLLM_PORT=tcp://… is its ValueError "appears to be a URI", the others int().
    reads=(
        "VLLM_PORT",
        "VLLM_DP_MASTER_PORT",
        "VLLM_NIXL_SIDE_CHANNEL_PORT",
        "VLLM_MOONCAKE_BOOTSTRAP_PORT",
    ),
    # vLLM's docs on sleep mode: "should not be exposed to users"; the rest is its dev mode's.
    not_for_clients=(
        "/metrics",
        "/sleep",
        "/wake_up",
        "/is_sleeping",
        "/collective_rpc",
        "/reset_prefix_cache",
        "/server_info",
        "/v1/load_lora_adapter",
        "/v1/unload_lora_adapter",
    ),
)
SGLANG = Server(
    "SGLang",
    reads=("SGLANG_PORT",),  # sglang/srt/utils, get_open_port: int(os.getenv("SGLANG_PORT"))
    answers_by_model=("/health_generate",),
    not_for_clients=("/metrics", "/flush_cache", "/release_memory_occupation", "/server_info"),
)
LITELLM = Server(
    "LiteLLM",
    # All names in wheel 1.106.2 that end as a Service's variables do; REDIS_HOST, HOST and PORT,
    # which it reads as well, no Service can make.
    reads=(
        "REDIS_PORT",
        "VALKEY_PORT",
        "DATABASE_PORT",
        "SMTP_PORT",
        "PROMETHEUS_METRICS_PORT",
        "LITELLM_DD_AGENT_PORT",
        "LITELLM_DD_LLM_OBS_PORT",
    ),
    # Measured: /health asks every model behind the gateway, audio included.
    answers_by_model=("/health", "/health/services", "/health/test_connection", "/test"),
    not_for_clients=(
        "/metrics",
        "/metrics/",
        "/ui",
        "/ui/",
        "/sso/key/generate",
        "/key/generate",
        "/key/info",
        "/user/new",
        "/user/info",
        "/team/new",
        "/team/info",
        "/model/new",
        "/model/info",
        "/model/delete",
        "/config/update",
        "/config/yaml",
        "/get/config/callbacks",
        "/spend/logs",
        "/global/spend",
        "/budget/new",
        "/organization/new",
        "/credentials",
        "/health",
        "/health/",
        "/health/services",
        "/settings",
        "/debug/memory/summary",
        "/sleep",
        "/wake_up",
    ),
)
# envconfig: OLLAMA_HOST and the rest; none ends as a Service's variables do.
OLLAMA = Server("Ollama")
# uvicorn's command takes every option from UVICORN_…; the image sets UVICORN_HOST.
SPEACHES = Server("Speaches", reads=("UVICORN_PORT",))

MODEL_PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/rerank",
    "/v1/audio",
    "/v1/images/generations",
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/audio/speech",
    "/audio/transcriptions",
    "/generate",
    "/api/generate",
    "/api/chat",
    "/api/embed",
    "/api/embeddings",
    "/api/tts",
    "/tts",
    "/tts_stream",
)
"""Paths of the OpenAI API, of Ollama, and of the speech servers whose answer comes from a model."""


def is_gateway(container: Container) -> bool:
    """Whether what is known of a container shows that it runs LiteLLM's proxy."""
    program = container.shown_image.program.lower()
    if "litellm" in program and not any(word in program for word in _BESIDE_A_GATEWAY):
        return True
    if any(name in container.shown_environment for name in _GATEWAY_VARIABLES):
        return True
    line = container.shown_command_line
    if _GATEWAY_KEY in container.shown_environment and line.has("--config", "--num-workers"):
        return True
    return _starts_litellm(line.words)


def _starts_litellm(words: tuple[str, ...]) -> bool:
    """`litellm …`, `/usr/bin/litellm`, `python -m litellm`, `sh -c "litellm …"`, not kubectl's."""
    text = " ".join(words)
    for before, after in zip(("", *text.split()), text.split(), strict=False):
        program = after.rpartition("/")[2]
        starts = before in ("", "-m", "-c", "exec", "&&", "||", ";")
        if starts and (program == "litellm" or program.startswith("litellm.proxy")):
            return True
    return False


def server_in(container: Container) -> Server | None:
    """Return the program that a container runs, as far as what is known of it shows."""
    if is_gateway(container):
        return LITELLM
    engine = container.recognised_engine
    if engine is not None:
        return VLLM if engine == "vllm" else SGLANG
    if container.recognised_ollama:
        return OLLAMA
    return SPEACHES if "speaches" in container.shown_image.program else None


def servers_in(workload: Workload) -> tuple[Server, ...]:
    """Return the programs that a workload's pods run; a Job only downloads for them."""
    if workload.kind in ("Job", "CronJob"):
        return ()
    found = (server_in(container) for container in workload.containers)
    return tuple(server for server in found if server is not None)


def gateway_in(workload: Workload) -> Container | None:
    """Return the container of a workload that runs the gateway."""
    if workload.kind in ("Job", "CronJob"):
        return None
    return next((one for one in workload.containers if is_gateway(one)), None)
