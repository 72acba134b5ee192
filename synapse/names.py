"""Fixed names of the stack's workloads and Services: clients, runbooks and the ledger use them."""

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
