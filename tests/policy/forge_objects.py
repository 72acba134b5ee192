"""The forge's objects, phase by phase."""

import copy
from typing import Any

from tests.policy.forge_guards import NAMESPACE, Json, guards

REPOSITORY = "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"
DIGEST = f"sha256:{'0' * 64}"


def _sized(request: str, limit: str, **gpus: str) -> Json:
    return {
        "requests": {"cpu": "1", "memory": request, **gpus},
        "limits": {"cpu": "4", "memory": limit, **gpus},
    }


def _pod(container: Json, claim: str | None = None, **more: Any) -> Json:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    harmless = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    one = {"imagePullPolicy": "IfNotPresent", "securityContext": harmless} | container
    of_the_pod = {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532.0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }
    return {"containers": [one], "volumes": volumes} | of_the_pod | more


def _env(**values: str) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _probe(path: str, port: float, **more: float) -> Json:
    return {"httpGet": {"path": path, "port": port}} | more


def _metadata(name: str, **more: Any) -> Json:
    return {"name": name, "namespace": NAMESPACE} | more


def _deployment(name: str, pod: Json, replicas: int = 1, **spec: Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, labels={"app": name}),
        "spec": {
            "replicas": float(replicas),
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        }
        | spec,
    }


def _job(name: str, app: str, pod: Json, model: str) -> Json:
    template = {"metadata": {"labels": {"app": app}}, "spec": pod | {"restartPolicy": "Never"}}
    return {
        "metadata": _metadata(name, annotations={"synapse/model": model}),
        "spec": {"template": template},
    }


def _claim(name: str, size: str) -> Json:
    return {
        "metadata": _metadata(name),
        "spec": {"resources": {"requests": {"storage": size}}},
    }


def _service(name: str, app: str | None = None) -> Json:
    return {
        "metadata": _metadata(name),
        "spec": {"selector": {"app": app or name}, "ports": [{"port": 8000.0}]},
    }


_ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": "-1", "NVIDIA_VISIBLE_DEVICES": "void"}


def ollama() -> Json:
    container = {
        "name": "ollama",
        "image": f"docker.io/ollama/ollama:0.12.0@{DIGEST}",
        "env": _env(
            OLLAMA_MAX_LOADED_MODELS="2",
            OLLAMA_NUM_PARALLEL="2",
            OLLAMA_CONTEXT_LENGTH="8192",
            **_ON_THE_CPU,
        ),
        "resources": _sized("32Gi", "96Gi"),
        "livenessProbe": _probe("/", 11434.0),
    }
    made = _deployment("ollama", _pod(container, "ollama-models"))
    made["metadata"]["annotations"] = {"synapse/models": "llama3.2:3b,llama3.1:8b"}
    return made


def engine() -> Json:
    container = {
        "name": "vllm",
        "image": f"registry.arunlabs.com/vllm-rtx5090:v0.20.2@{DIGEST}",
        "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
        "args": [
            f"--model={REPOSITORY}",
            "--gpu-memory-utilization=0.75",
            "--max-model-len",
            "8192",
            "--kv-cache-dtype=auto",
        ],
        "resources": _sized("20Gi", "32Gi", **{"nvidia.com/gpu": "1"}),
        "startupProbe": _probe("/health", 8000.0, periodSeconds=30.0, failureThreshold=60.0),
        "livenessProbe": _probe("/health", 8000.0, timeoutSeconds=60.0),
    }
    return _deployment("vllm-inference", _pod(container, "huggingface-cache"))


def tts() -> Json:
    container = {
        "name": "coqui",
        "image": f"ghcr.io/idiap/coqui-tts:v0.27.2@{DIGEST}",
        "resources": _sized("8Gi", "12Gi", **{"nvidia.com/gpu": "1"}),
    }
    made = _deployment("coqui-tts", _pod(container), replicas=0)
    made["spec"]["template"]["metadata"]["annotations"] = {"synapse/vram-gib": "12"}
    return made


def stt() -> Json:
    container = {
        "name": "speaches",
        "image": f"ghcr.io/speaches-ai/speaches:0.8.3-cpu@{DIGEST}",
        "resources": _sized("6Gi", "16Gi"),
    }
    return _deployment("speaches", _pod(container))


def gateway() -> Json:
    container = {
        "name": "litellm",
        "image": f"ghcr.io/berriai/litellm:v1.80.0@{DIGEST}",
        "resources": _sized("2Gi", "4Gi"),
        "readinessProbe": _probe("/health/readiness", 4000.0),
        "livenessProbe": _probe("/health/liveliness", 4000.0),
    }
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1.0, "maxUnavailable": 0.0}}
    return _deployment("litellm-proxy", _pod(container), replicas=2, strategy=rolling)


def _ollama_pull(model: str) -> Json:
    container = {
        "name": "pull",
        "image": f"docker.io/ollama/ollama:0.12.0@{DIGEST}",
        "command": ["sh", "-c", "ollama pull"],
        "env": _env(**_ON_THE_CPU),
        "resources": _sized("512Mi", "1Gi"),
    }
    name = "ollama-pull-" + model.replace(":", "-").replace(".", "-")
    return _job(name, "ollama-pull", _pod(container, "ollama-models"), model)


def _engine_pull() -> Json:
    container = {
        "name": "pull",
        "image": f"registry.arunlabs.com/vllm-rtx5090:v0.20.2@{DIGEST}",
        "command": ["python3", "-c", "pull"],
        "resources": _sized("512Mi", "2Gi"),
    }
    return _job("engine-pull", "engine-pull", _pod(container, "huggingface-cache"), REPOSITORY)


def _restart() -> Json:
    container = {
        "name": "restart",
        "image": f"registry.k8s.io/kubectl:v1.35.4@{DIGEST}",
        "command": ["kubectl", "rollout", "restart", "deployment/litellm-proxy"],
        "resources": _sized("64Mi", "256Mi"),
    }
    account: Json = {
        "serviceAccountName": "litellm-restart-sa",
        "automountServiceAccountToken": True,
    }
    template = {
        "metadata": {"labels": {"app": "litellm-restart"}},
        "spec": _pod(container, **account),
    }
    return {
        "metadata": _metadata("litellm-restart"),
        "spec": {"schedule": "0 4 * * *", "jobTemplate": {"spec": {"template": template}}},
    }


def resources(phase: int = 3) -> dict[str, tuple[str, Json]]:
    """Every resource that the pack judges, by its Pulumi name: type token and properties."""
    by_phase: dict[int, dict[str, tuple[str, Json]]] = {
        1: {
            "models": ("core/v1:PersistentVolumeClaim", _claim("ollama-models", "200Gi")),
            "cache": ("core/v1:PersistentVolumeClaim", _claim("huggingface-cache", "100Gi")),
            "ollama": ("apps/v1:Deployment", ollama()),
            "ollama-service": ("core/v1:Service", _service("ollama")),
            "pull-3b": ("batch/v1:Job", _ollama_pull("llama3.2:3b")),
            "pull-8b": ("batch/v1:Job", _ollama_pull("llama3.1:8b")),
        },
        2: {
            "engine": ("apps/v1:Deployment", engine()),
            "engine-service": ("core/v1:Service", _service("vllm-inference")),
            "fetch": ("batch/v1:Job", _engine_pull()),
        },
        3: {
            "gateway": ("apps/v1:Deployment", gateway()),
            "restart": ("batch/v1:CronJob", _restart()),
        },
        4: {"tts": ("apps/v1:Deployment", tts()), "stt": ("apps/v1:Deployment", stt())},
    }
    for since, guarding in guards().items():
        by_phase[since] |= guarding
    return copy.deepcopy(
        {
            name: (f"kubernetes:{token}", made)
            for since, group in by_phase.items()
            if since <= phase
            for name, (token, made) in group.items()
        }
    )
