"""Names that more than one room needs: workloads, Services, and what objects carry."""

OLLAMA = "ollama"
GATEWAY = "litellm-proxy"
GATEWAY_APP = "litellm"  # the label that selects its pods; runbooks say `-l app=litellm`
TTS = "coqui-tts"
STT = "speaches"
OLLAMA_PULL = "ollama-pull"
ENGINE_PULL = "engine-pull"
RESTART = "litellm-restart"
MONITORING = "monitoring"
OPERATOR_POD = "kubectl-run"

ALL = (OLLAMA, GATEWAY, TTS, STT, OLLAMA_PULL, ENGINE_PULL, RESTART, MONITORING, OPERATOR_POD)

GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"
MODEL_ANNOTATION = "synapse/model"
MODELS_ANNOTATION = "synapse/models"
