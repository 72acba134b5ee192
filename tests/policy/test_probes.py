"""Probes that call a model."""

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN
from tests.policy.one_rule import deployment, made, ours, theirs

RULE = "probe-calls-a-model"
LITELLM = "ghcr.io/berriai/litellm:v1.80.0"
OLLAMA = "docker.io/ollama/ollama:0.33.3"
VLLM = "docker.io/vllm/vllm-openai:v0.20.2"


def _get(path: str, port: object = 4000) -> Json:
    return {"httpGet": {"path": path, "port": port}}


def _run(*command: str) -> Json:
    return {"exec": {"command": list(command)}}


@pytest.mark.parametrize("kind", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_litellms_health_is_refused_in_every_probe(kind: str) -> None:
    message = theirs(RULE, deployment("gateway", {"image": LITELLM, kind: _get("/health")}))
    assert f"the {kind} of container 'gateway' of Deployment 'gateway'" in message
    assert "/health/liveliness" in message


@pytest.mark.parametrize(
    ("image", "probe"),
    [
        (LITELLM, _get("/health/")),
        (LITELLM, _get("/health?model=chat")),
        (LITELLM, _run("curl", "-sf", "http://localhost:4000/health")),
        (LITELLM, _run("sh", "-c", "wget -qO- localhost:4000/health | grep ok")),
        (
            LITELLM,
            _run(
                "python3", "-c", "import urllib.request as u; u.urlopen('http://[::1]:4000/health')"
            ),
        ),
        (LITELLM, _run("litellm", "--port", "4000", "--health")),
        ("registry.example.com/gateway:1", _get("/v1/chat/completions")),
        (VLLM, _get("/v1/completions", 8000)),
        (VLLM, _get("/v1/embeddings", 8000)),
        (VLLM, _run("curl", "127.0.0.1:8000/v1/chat/completions", "-d", "{}")),
        (OLLAMA, _get("/api/generate", 11434)),
        (OLLAMA, _get("/api/chat", 11434)),
        (OLLAMA, _run("ollama", "run", "llama3.2:3b", "hi")),
        ("ghcr.io/speaches-ai/speaches:0.8.3", _get("/v1/audio/speech", 8000)),
        ("ghcr.io/speaches-ai/speaches:0.8.3", _get("/v1/audio/transcriptions", 8000)),
        ("ghcr.io/idiap/coqui-tts:v0.27.2", _get("/api/tts?text=hi", 5002)),
        ("lmsysorg/sglang:v0.5.0", _get("/health_generate", 30000)),
    ],
)
def test_a_probe_that_calls_a_model_is_refused(image: str, probe: Json) -> None:
    found = theirs(RULE, deployment("it", {"image": image, "livenessProbe": probe}))
    assert "livenessProbe" in found


@pytest.mark.parametrize(
    ("image", "probe"),
    [
        (LITELLM, _get("/health/liveliness")),
        (LITELLM, _get("/health/readiness")),
        (LITELLM, _run("curl", "-f", "http://localhost:4000/health/readiness")),
        (LITELLM, {"tcpSocket": {"port": 4000}}),
        (VLLM, _get("/health", 8000)),
        (VLLM, _get("/v1/models", 8000)),
        (OLLAMA, _get("/api/version", 11434)),
        (OLLAMA, _get("/api/tags", 11434)),
        (OLLAMA, _run("ollama", "list")),
        ("registry.example.com/web:1", _get("/health", 8080)),
        ("registry.example.com/web:1", _run("cat", "/run/health")),
        ("registry.example.com/web:1", _run("/bin/grpc_health_probe", "-addr=:9090")),
        ("ghcr.io/example/litellm-exporter:1", _get("/health", 9090)),
        ("registry.example.com/web:1", {"grpc": {"port": 9090}}),
    ],
)
def test_a_probe_that_only_asks_for_life_passes(image: str, probe: Json) -> None:
    assert theirs(RULE, deployment("it", {"image": image, "livenessProbe": probe})) == ""


@pytest.mark.parametrize(
    "container",
    [
        {"image": "x:1", "command": ["litellm", "--config", "/c"]},
        {"image": "x:1", "command": ["python3", "-m", "litellm"]},
        {"image": "x:1", "command": ["sh", "-c", "exec litellm --config /c"]},
        {"image": "x:1", "env": [{"name": "LITELLM_SALT_KEY", "value": ""}]},
        {"image": "ghcr.io/berriai/litellm-non_root@sha256:0"},
        {"image": "x:1", "args": ["--config=/c"], "env": [{"name": "LITELLM_MASTER_KEY"}]},
    ],
)
def test_the_gateway_is_known_by_what_it_runs(container: Json) -> None:
    probed = {**container, "livenessProbe": _get("/health")}
    assert "LiteLLM" in theirs(RULE, deployment("it", probed))


@pytest.mark.parametrize(
    "container",
    [
        {"image": "x:1", "env": [{"name": "LITELLM_MASTER_KEY"}]},
        {"image": "x:1", "command": ["kubectl", "rollout", "restart", "deployment", "litellm"]},
        {"image": "x:1", "args": ["--url=http://litellm:4000"]},
        {"image": "ghcr.io/example/litellm-exporter:1"},
    ],
)
def test_what_only_names_the_gateway_is_none(container: Json) -> None:
    probed = {**container, "livenessProbe": _get("/health")}
    assert theirs(RULE, deployment("it", probed)) == ""


def test_a_sidecars_probe_of_the_gateway_counts() -> None:
    sidecar = {"name": "proxy", "image": "envoy:1", "livenessProbe": _get("/health", 4000)}
    gateway = {"name": "gateway", "image": LITELLM}
    there = deployment("it", {}, pod={"containers": [gateway, sidecar]})
    assert "container 'proxy'" in theirs(RULE, there)
    sidecar["livenessProbe"] = _get("/health", 9901)
    assert theirs(RULE, there) == ""


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "DeploymentPatch"])
def test_other_workloads_and_patches_count(kind: str) -> None:
    there = deployment("it", {"image": LITELLM, "readinessProbe": _get("/health")})
    assert "readinessProbe" in ours(RULE, there | {"kind": kind})


def test_a_bare_pod_counts() -> None:
    container = {"name": "it", "image": LITELLM, "readinessProbe": _get("/health")}
    assert "Pod 'it'" in theirs(RULE, made("Pod", "it", spec={"containers": [container]}))


def test_an_unknown_path_is_refused_and_another_unknown_value_is_not() -> None:
    probe = _get(UNKNOWN)
    there = deployment("it", {"image": LITELLM, "livenessProbe": probe})
    assert "cannot be judged" in theirs(RULE, there)
    probe["httpGet"] = {"path": "/health/liveliness", "port": UNKNOWN}
    there["spec"]["replicas"] = UNKNOWN
    assert theirs(RULE, there) == ""
