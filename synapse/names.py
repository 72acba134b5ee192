"""Names that more than one room needs: workloads, Services, and what objects carry."""

OLLAMA = "ollama"
GATEWAY = "litellm-proxy"
GATEWAY_APP = "litellm"  # the label that selects its pods; runbooks say `-l app=litellm`
TTS = "coqui-tts"
STT = "speaches"
PIPER = "piper-tts"
OLLAMA_PULL = "ollama-pull"
ENGINE_PULL = "engine-pull"
SPEECH_PULL = "speech-pull"
RESTART = "litellm-restart"
MONITORING = "monitoring"
OPERATOR_POD = "kubectl-run"
DEVICE_PLUGIN = "nvidia-device-plugin"

ALL = (
    OLLAMA,
    GATEWAY,
    TTS,
    STT,
    PIPER,
    OLLAMA_PULL,
    ENGINE_PULL,
    SPEECH_PULL,
    RESTART,
    MONITORING,
    OPERATOR_POD,
    DEVICE_PLUGIN,
)

SYSTEM_NAMESPACE = "kube-system"
GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"
MODEL_ANNOTATION = "synapse/model"
MODELS_ANNOTATION = "synapse/models"
VRAM_ANNOTATION = "synapse/vram-gib"
XTTS_LICENCE_BY_ANNOTATION = "synapse/xtts-licence-acknowledged-by"
XTTS_LICENCE_ON_ANNOTATION = "synapse/xtts-licence-acknowledged-on"

# A GPU pod's Service selects this label, too: a pod that is drained loses it, and keeps its owner.
SERVING_LABEL = "synapse/serving"
SERVING, DRAINING = "true", "false"

ENGINE_GAUGES: dict[str, tuple[str, ...]] = {
    "vllm": ("vllm:num_requests_running", "vllm:num_requests_waiting"),
    "sglang": ("sglang:num_running_reqs", "sglang:num_queue_reqs"),
}
"""Gauges by kind of engine: requests that are computed, and those that wait."""
