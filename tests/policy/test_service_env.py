"""Services whose variables a pod would take for its own."""

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN
from tests.policy.one_rule import deployment, made, ours, service, theirs

AT_ONCE, DEPLOYED = "service-env-clash", "service-env-clash-deployed"
LITELLM: Json = {"image": "ghcr.io/berriai/litellm:v1.80.0"}
VLLM: Json = {"image": "docker.io/vllm/vllm-openai:v0.20.2", "args": ["--max-model-len=8192"]}
OLLAMA: Json = {"image": "docker.io/ollama/ollama:0.33.3"}
OFF = {"enableServiceLinks": False}


@pytest.mark.parametrize("name", ["vllm", "vllm-dp-master", "vllm-nixl-side-channel", "sglang"])
def test_a_service_that_stops_the_engine_is_refused_at_its_registration(name: str) -> None:
    message = ours(AT_ONCE, service(name))
    assert f"Service '{name}'" in message
    assert "_PORT=tcp://…" in message


@pytest.mark.parametrize("name", ["vllm-inference", "ollama", "litellm-proxy", "redis", "vllm-dp"])
def test_other_names_are_registered(name: str) -> None:
    assert ours(AT_ONCE, service(name)) == ""


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName"}])
def test_a_service_without_an_address_makes_no_variables(spec: Json) -> None:
    assert ours(AT_ONCE, service("vllm", **spec)) == ""
    assert theirs(DEPLOYED, service("vllm", **spec), deployment("chat", VLLM)) == ""


def test_an_object_that_is_only_called_service_makes_no_variables() -> None:
    assert ours(AT_ONCE, made("Service", "vllm", api="serving.knative.dev/v1", spec={})) == ""


@pytest.mark.parametrize(
    ("name", "container", "variable"),
    [
        ("vllm", VLLM, "VLLM_PORT"),
        ("redis", LITELLM, "REDIS_PORT"),
        ("database", LITELLM, "DATABASE_PORT"),
        ("prometheus-metrics", LITELLM, "PROMETHEUS_METRICS_PORT"),
        ("sglang", {"image": "lmsysorg/sglang:v0.5.0"}, "SGLANG_PORT"),
        ("uvicorn", {"image": "ghcr.io/speaches-ai/speaches:0.8.3"}, "UVICORN_PORT"),
        ("metrics", {"image": "a:1", "args": ["--port=$(METRICS_PORT)"]}, "METRICS_PORT"),
        (
            "metrics",
            {"image": "a:1", "command": ["sh", "-c", "run ${METRICS_PORT}"]},
            "METRICS_PORT",
        ),
        (
            "cache",
            {"image": "a:1", "env": [{"name": "URL", "value": "redis://$(CACHE_PORT)"}]},
            "CACHE_PORT",
        ),
    ],
)
def test_a_pod_that_reads_a_services_variable_is_refused(
    name: str, container: Json, variable: str
) -> None:
    message = theirs(DEPLOYED, service(name), deployment("reader", container))
    assert f"Service '{name}'" in message
    assert f"set {variable}=tcp://…" in message
    assert "Deployment 'reader'" in message
    off = deployment("reader", container, pod=OFF)
    assert theirs(DEPLOYED, service(name, app="reader"), off) == ""


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("ollama", OLLAMA),  # OLLAMA_PORT and OLLAMA_SERVICE_HOST, but it reads OLLAMA_HOST
        ("vllm-inference", VLLM),
        ("redis", {"image": "docker.io/redis:8"}),
        ("redis", {"image": "a:1", "args": ["$(REDIS_SERVICE_HOST):$(REDIS_SERVICE_PORT)"]}),
        ("redis", {"image": "a:1", "args": ["$$(REDIS_PORT)"]}),
        ("redis", {**LITELLM, "env": [{"name": "REDIS_PORT", "value": "6379"}]}),
    ],
)
def test_a_variable_that_nobody_reads_by_mistake_passes(name: str, container: Json) -> None:
    assert theirs(DEPLOYED, service(name), deployment("reader", container)) == ""


def test_what_one_container_of_an_image_sets_another_one_reads() -> None:
    setting = {"image": "a:1", "env": [{"name": "QUEUE_PORT", "value": "5672"}]}
    there = service("queue"), deployment("set", setting), deployment("unset", {"image": "a:2"})
    message = theirs(DEPLOYED, *there)
    assert "Deployment 'unset'" in message
    assert "Deployment 'set'" not in message


def test_an_optional_reference_may_leave_the_services_variable() -> None:
    source = {"secretKeyRef": {"name": "redis", "key": "port", "optional": True}}
    container = {**LITELLM, "env": [{"name": "REDIS_PORT", "valueFrom": source}]}
    assert "REDIS_PORT" in theirs(DEPLOYED, service("redis"), deployment("gateway", container))
    source["secretKeyRef"]["optional"] = False
    assert theirs(DEPLOYED, service("redis"), deployment("gateway", container)) == ""


def test_a_config_map_that_sets_it_wins() -> None:
    config = made("ConfigMap", "redis", data={"REDIS_PORT": "6379"})
    container = {**LITELLM, "envFrom": [{"configMapRef": {"name": "redis"}}]}
    there = service("redis"), deployment("gateway", container)
    assert theirs(DEPLOYED, *there, config) == ""
    assert "REDIS_PORT" in theirs(DEPLOYED, *there)


def test_only_pods_of_its_namespace_are_given_the_variables() -> None:
    elsewhere = service("redis")
    elsewhere["metadata"]["namespace"] = "other"
    assert theirs(DEPLOYED, elsewhere, deployment("gateway", LITELLM)) == ""


def test_ports_by_number_and_name_count() -> None:
    number = {"image": "a:1", "env": [{"name": "WEB_PORT_8000_TCP_ADDR", "value": "x"}]}
    reader = deployment("reader", {"image": "a:1"})
    assert "WEB_PORT_8000_TCP_ADDR" in theirs(
        DEPLOYED, service("web"), deployment("set", number), reader
    )
    name = {"image": "a:1", "env": [{"name": "WEB_SERVICE_PORT_HTTP", "value": "x"}]}
    assert "WEB_SERVICE_PORT_HTTP" in theirs(
        DEPLOYED, service("web"), deployment("set", name), reader
    )


def test_an_engine_that_refuses_unknown_variables_is_refused_any_vllm_service() -> None:
    container = {**VLLM, "args": ["--max-model-len=8192", "--fail-on-environ-validation"]}
    message = theirs(DEPLOYED, service("vllm-inference"), deployment("chat", container))
    assert "VLLM_INFERENCE_PORT" in message


def test_a_service_called_vllm_whose_pods_are_elsewhere_is_refused() -> None:
    assert "not in this program" in theirs(DEPLOYED, service("vllm"))
    assert theirs(DEPLOYED, service("vllm", app="chat"), deployment("chat", VLLM, pod=OFF)) == ""


def test_init_containers_read_as_well() -> None:
    pod = {"initContainers": [{"name": "wait", **LITELLM}]}
    reader = deployment("app", {"image": "a:1"}, pod=pod)
    assert "container 'wait'" in theirs(DEPLOYED, service("redis"), reader)


def test_an_unknown_switch_is_refused() -> None:
    reader = deployment("gateway", LITELLM, pod={"enableServiceLinks": UNKNOWN})
    assert "cannot be judged" in theirs(DEPLOYED, service("redis"), reader)
    assert theirs(DEPLOYED, service("cache"), reader) == ""


def test_services_in_a_list_count() -> None:
    listed = made("ServiceList", "all", items=[service("vllm"), service("web")])
    assert "Service 'vllm'" in ours(AT_ONCE, listed)
