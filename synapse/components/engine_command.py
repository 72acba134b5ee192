"""How the engine is told what the plan says: arguments and variables of vLLM and of SGLang."""

from synapse.components.pods import SCRATCH
from synapse.plan.served import EnginePlan

PORT = 8000
CACHE = "/cache"
HF_HOME = f"{CACHE}/huggingface"


def command(engine: EnginePlan) -> list[str]:
    """The program that serves; the arguments follow it."""
    if engine.kind == "sglang":
        return ["python3", "-m", "sglang.launch_server"]
    return ["python3", "-m", "vllm.entrypoints.openai.api_server"]


def arguments(engine: EnginePlan) -> list[str]:
    """The engine's arguments, each as one `--name=value`."""
    return _sglang(engine) if engine.kind == "sglang" else _vllm(engine)


def _vllm(engine: EnginePlan) -> list[str]:
    told = [
        f"--model={engine.repository}",
        "--host=0.0.0.0",
        f"--port={PORT}",
        f"--gpu-memory-utilization={engine.gpu_memory_utilization:.2f}",
        f"--max-model-len={engine.max_model_len}",
        f"--kv-cache-dtype={engine.kv_cache_dtype}",
        *_optional("--max-num-seqs", engine.max_num_seqs),
        *_optional("--max-num-batched-tokens", engine.max_num_batched_tokens),
    ]
    if engine.attention_backend and engine.attention_by == "flag":
        told.append(f"--attention-backend={engine.attention_backend}")
    if engine.enforce_eager:
        told.append("--enforce-eager")
    if engine.sleep_mode:
        told.append("--enable-sleep-mode")
    return [*told, "--served-model-name", *engine.served_names]


def _sglang(engine: EnginePlan) -> list[str]:
    told = [
        f"--model-path={engine.repository}",
        "--host=0.0.0.0",
        f"--port={PORT}",
        f"--mem-fraction-static={engine.gpu_memory_utilization:.2f}",
        f"--context-length={engine.max_model_len}",
        *_optional("--max-running-requests", engine.max_num_seqs),
        *_optional("--chunked-prefill-size", engine.max_num_batched_tokens),
        f"--served-model-name={engine.served_names[0]}",
        "--enable-metrics",
    ]
    if engine.kv_cache_dtype == "fp8":
        told.append("--kv-cache-dtype=fp8_e5m2")
    if engine.enforce_eager:
        told.append("--disable-cuda-graph")
    return told


def _optional(flag: str, value: int | None) -> list[str]:
    return [] if value is None else [f"{flag}={value}"]


def variables(engine: EnginePlan) -> dict[str, str]:
    """The engine's environment: it downloads nothing, that is the pull Job's part."""
    told = {
        "HF_HOME": HF_HOME,
        "HF_HUB_OFFLINE": "1",
        # Stock images are made for root, and run as anybody who has these two: caches lie in the
        # home and are named after a user, and the image does not know this one.
        "HOME": SCRATCH,
        "USER": "synapse",
    }
    if engine.kind == "sglang":
        return told
    told |= {
        "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    if engine.sleep_mode:
        told["VLLM_SERVER_DEV_MODE"] = "1"
    if engine.attention_backend and engine.attention_by == "environment":
        told |= {
            "VLLM_ATTENTION_BACKEND": engine.attention_backend,
            "VLLM_FLASH_ATTN_VERSION": "2",
        }
    return told
