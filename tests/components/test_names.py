"""Names, ports and labels that clients and runbooks use, as the forge's contract lists them."""

import pytest

from synapse.names import SERVING, SERVING_LABEL
from tests.components.conftest import Record
from tests.components.pods import pods

PART_OF = "app.kubernetes.io/part-of"
NAME = "app.kubernetes.io/name"

TAKE_TURNS = ("vllm-inference", "coqui-tts")
SERVICES = [
    ("ollama", {11434: 11434}, "ollama", "ollama"),
    ("vllm-inference", {8000: 8000, 8001: 8000}, "vllm-inference", "vllm-inference"),
    ("litellm-proxy", {8000: 4000, 9090: 9090}, "litellm", "litellm-proxy"),
    ("coqui-tts", {8000: 5002}, "coqui-tts", "coqui-tts"),
    ("speaches", {8000: 8000, 8002: 8000}, "speaches", "speaches"),
]


@pytest.mark.parametrize(("service", "ports", "app", "name"), SERVICES)
def test_a_service_has_its_ports_and_finds_its_pods(
    registered: Record, service: str, ports: dict[int, int], app: str, name: str
) -> None:
    recorded = registered()
    one, deployment = recorded.object("Service", service), recorded.object("Deployment", service)
    assert {port["port"]: port["targetPort"] for port in one.spec["ports"]} == ports
    assert {port.get("protocol", "TCP") for port in one.spec["ports"]} == {"TCP"}
    assert len({port["name"] for port in one.spec["ports"]}) == len(ports)
    assert one.spec["type"] == "ClusterIP"
    drains = {SERVING_LABEL: SERVING} if service in TAKE_TURNS else {}
    assert one.spec["selector"] == {"app": app} | drains
    template = deployment.spec["template"]
    assert deployment.spec["selector"] == {"matchLabels": {"app": app}}, "a drained pod stays"
    assert template["metadata"]["labels"] == {"app": app, NAME: name, PART_OF: "synapse"} | drains
    listening = {port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert set(ports.values()) == listening


def test_there_are_no_other_services_and_none_is_called_vllm(registered: Record) -> None:
    """Kubernetes would inject VLLM_PORT=tcp://…, which vLLM reads as its own port."""
    names = {one.object_name for one in registered().of_kind("Service")}
    assert names == {service for service, *_ in SERVICES}


def test_the_engines_service_is_named_by_the_config(registered: Record) -> None:
    recorded = registered(engine={"service_name": "chat-engine"}, clients=[])
    selector = recorded.object("Service", "chat-engine").spec["selector"]
    assert selector == {"app": "chat-engine", SERVING_LABEL: SERVING}
    assert recorded.object("Deployment", "chat-engine").labels["app"] == "chat-engine"
    (config,) = (
        one.inputs["data"]["config.yaml"]
        for one in recorded.of_kind("ConfigMap")
        if one.object_name.startswith("litellm-config")
    )
    assert "http://chat-engine.llm-infra.svc.cluster.local:8000/v1" in config


def test_the_gateway_has_two_replicas_the_turn_takers_begin_with_chat_the_others_one(
    registered: Record,
) -> None:
    replicas = {one.object_name: one.spec["replicas"] for one in registered().of_kind("Deployment")}
    assert replicas == {
        "ollama": 1,
        "vllm-inference": 1,
        "litellm-proxy": 2,
        "coqui-tts": 0,
        "speaches": 1,
    }


def test_everything_is_part_of_synapse(registered: Record) -> None:
    recorded = registered()
    for one in recorded.objects:
        assert one.labels[PART_OF] == "synapse", one.urn
        assert {"app", NAME} <= one.labels.keys(), one.urn
    for pod in pods(recorded):
        assert pod.labels[PART_OF] == "synapse", pod.name


def test_what_belongs_to_the_gateway_is_found_by_its_label(registered: Record) -> None:
    """`kubectl get … -l app=litellm` shows all of it."""
    recorded = registered()
    for one in recorded.objects:
        if "litellm-proxy" in one.object_name or "litellm-config" in one.object_name:
            assert one.labels["app"] == "litellm", one.urn
            assert one.labels[NAME] == "litellm-proxy", one.urn


def test_the_restart_has_the_contracts_names(registered: Record) -> None:
    recorded = registered()
    assert [one.object_name for one in recorded.of_kind("CronJob")] == ["litellm-restart"]
    assert [one.object_name for one in recorded.of_kind("ServiceAccount")] == ["litellm-restart-sa"]


def test_no_two_pods_of_different_owners_share_an_app_label_with_a_service(
    registered: Record,
) -> None:
    """A Service that selected a Job's pod would send requests to it."""
    recorded = registered()
    for service in recorded.of_kind("Service"):
        selected = [
            pod.name
            for pod in pods(recorded)
            if service.spec["selector"].items() <= pod.labels.items()
        ]
        assert selected == [service.object_name]


def test_only_what_says_nothing_by_being_ready_is_not_awaited(registered: Record) -> None:
    """Deployments and Jobs are awaited: an `up` that succeeds means that they run."""
    skipped = {
        one.kind
        for one in registered().objects
        if one.annotations.get("pulumi.com/skipAwait") == "true"
    }
    assert skipped == {"Service", "PersistentVolumeClaim", "PodDisruptionBudget"}
