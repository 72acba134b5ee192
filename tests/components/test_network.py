"""Who may call whom: the contract's list, asked of the policies as a cluster would decide."""

import pytest

from tests.components.conftest import Record
from tests.components.network_model import NAMESPACE, End, reaches, reaches_address
from tests.components.pods import pods

PORTS = {
    "ollama": 11434,
    "vllm-inference": 8000,
    "litellm": 4000,
    "coqui-tts": 5002,
    "speaches": 8000,
}
OF_THE_STACK = (
    "ollama",
    "ollama-pull",
    "vllm-inference",
    "engine-pull",
    "litellm",
    "litellm-restart",
    "coqui-tts",
    "speaches",
    "speech-pull",
)
TRAEFIK = End("kube-system", {"app.kubernetes.io/name": "traefik"})
DNS = End("kube-system", {"k8s-app": "kube-dns"})
AI_MEMORY = End("ai-memory", {"app": "ai-memory"})
CURL_TEST = End(NAMESPACE, {"run": "curl-test"})
OTHERS = {
    "traefik": TRAEFIK,
    "ai-memory": AI_MEMORY,
    "curl-test": CURL_TEST,
    "a stranger in the namespace": End(NAMESPACE, {"app": "stranger"}),
    "a stranger elsewhere": End("default", {"app": "stranger"}),
    "a namesake of the gateway elsewhere": End("default", {"app": "litellm"}),
    "a namesake of traefik elsewhere": End("default", {"app.kubernetes.io/name": "traefik"}),
    "another pod of kube-system": End("kube-system", {"k8s-app": "metrics-server"}),
    "another pod of ai-memory": End("ai-memory", {"app": "other"}),
}
ALLOWED = {
    ("litellm", "ollama"),
    ("litellm", "vllm-inference"),
    ("traefik", "litellm"),
    ("ai-memory", "ollama"),
    ("curl-test", "ollama"),
    ("curl-test", "vllm-inference"),
    ("litellm", "coqui-tts"),
    ("litellm", "speaches"),
}
PUBLIC = ("1.1.1.1", "140.82.121.4")
PRIVATE = (
    "10.43.0.1",
    "172.16.0.9",
    "172.31.255.1",
    "192.168.0.7",
    "169.254.169.254",
    "100.100.100.100",
)


def _own(app: str) -> End:
    return End(NAMESPACE, {"app": app})


def _everybody() -> dict[str, End]:
    return {app: _own(app) for app in OF_THE_STACK} | OTHERS


def test_the_apps_asked_about_are_those_that_exist(registered: Record) -> None:
    assert {pod.labels["app"] for pod in pods(registered())} == set(OF_THE_STACK)


def test_who_may_call_whom_is_the_contracts_list_and_nothing_else(registered: Record) -> None:
    recorded = registered()
    found = {
        (caller, app)
        for caller, source in _everybody().items()
        for app in OF_THE_STACK
        for port in (PORTS.get(app, 8000), *PORTS.values())
        if caller != app and reaches(recorded, source, _own(app), port)
    }
    assert found == ALLOWED


@pytest.mark.parametrize(("caller", "app"), sorted(ALLOWED))
def test_a_caller_gets_one_port_alone(registered: Record, caller: str, app: str) -> None:
    recorded, source = registered(), _everybody()[caller]
    others = {22, 80, 443, 5002, 6443, 8000, 8001, 8002, 4000, 11434} - {PORTS[app]}
    assert [port for port in others if reaches(recorded, source, _own(app), port)] == []


def test_everything_is_shut_in_both_directions_for_every_pod(registered: Record) -> None:
    (deny,) = (
        one
        for one in registered().of_kind("NetworkPolicy")
        if not one.spec["podSelector"].get("matchLabels")
    )
    assert deny.spec["policyTypes"] == ["Ingress", "Egress"]
    assert deny.spec.get("ingress", []) == []


def test_every_policy_says_both_directions(registered: Record) -> None:
    """A policy without `Egress` in its types would say nothing of egress."""
    for one in registered().of_kind("NetworkPolicy"):
        assert one.spec["policyTypes"] == ["Ingress", "Egress"], one.object_name


@pytest.mark.parametrize("app", [*OF_THE_STACK, "anything"])
def test_every_pod_asks_dns_and_nothing_else_of_kube_system(registered: Record, app: str) -> None:
    recorded = registered()
    beside = OTHERS["another pod of kube-system"]
    for port, protocol in ((53, "UDP"), (53, "TCP"), (443, "TCP"), (10250, "TCP")):
        assert not reaches(recorded, _own(app), beside, port, protocol)
    assert reaches(recorded, _own(app), DNS, 53, "UDP")
    assert reaches(recorded, _own(app), DNS, 53, "TCP")
    if app != "litellm-restart":
        assert not reaches(recorded, _own(app), DNS, 443)
    assert not reaches(recorded, _own(app), DNS, 9153)


@pytest.mark.parametrize("app", ["ollama-pull", "engine-pull"])
def test_pull_jobs_reach_https_on_public_addresses_alone(registered: Record, app: str) -> None:
    recorded = registered()
    for address in PUBLIC:
        assert reaches_address(recorded, _own(app), address, 443)
        assert not reaches_address(recorded, _own(app), address, 80)
        assert not reaches_address(recorded, _own(app), address, 22)
    for address in PRIVATE:
        assert not reaches_address(recorded, _own(app), address, 443), address


@pytest.mark.parametrize("app", ["ollama", "vllm-inference", "litellm", "anything"])
def test_what_serves_reaches_no_address_outside(registered: Record, app: str) -> None:
    recorded = registered()
    for address in (*PUBLIC, *PRIVATE):
        for port in (53, 80, 443, 6443):
            assert not reaches_address(recorded, _own(app), address, port), (address, port)


def test_the_restart_reaches_the_api_servers_ports_alone(registered: Record) -> None:
    """K3s listens on 6443 behind a Service on 443; its address only the cluster knows."""
    recorded, restart = registered(), _own("litellm-restart")
    for address in ("10.43.0.1", "192.168.0.7"):
        assert reaches_address(recorded, restart, address, 443)
    for address in ("192.168.0.7", "140.82.121.4"):
        assert reaches_address(recorded, restart, address, 6443)
        for port in (22, 80, 2379, 8080, 10250):
            assert not reaches_address(recorded, restart, address, port)


def test_the_restart_with_its_token_reaches_no_web_server_outside(registered: Record) -> None:
    recorded, restart = registered(), _own("litellm-restart")
    for address in (*PUBLIC, "169.254.169.254"):
        assert not reaches_address(recorded, restart, address, 443), address


def test_without_clients_only_the_stack_itself_is_let_in(registered: Record) -> None:
    recorded = registered(clients=[])
    for caller in ("ai-memory", "curl-test"):
        for app, port in PORTS.items():
            assert not reaches(recorded, OTHERS[caller], _own(app), port), (caller, app)
    assert reaches(recorded, _own("litellm"), _own("ollama"), 11434)


def test_a_client_of_the_gateway_is_let_in_to_its_pods(registered: Record) -> None:
    selector = {"app": "notes", "tier": "web"}
    inside, outside = End(NAMESPACE, selector), End("notes", selector)
    recorded = registered(
        clients=[
            {"namespace": one.namespace, "selector": selector, "service": "litellm-proxy"}
            for one in (inside, outside)
        ]
    )
    for one in (inside, outside):
        assert reaches(recorded, one, _own("litellm"), 4000)
        assert not reaches(recorded, one, _own("ollama"), 11434)
        assert not reaches(recorded, End(one.namespace, {"app": "notes"}), _own("litellm"), 4000)


def test_traefik_reaches_ollama_only_where_its_ingress_is_asked_for(registered: Record) -> None:
    assert not reaches(registered(), TRAEFIK, _own("ollama"), 11434)
    with_ingress = registered(ollama={"ingress_host": "ollama.arunlabs.com"})
    assert reaches(with_ingress, TRAEFIK, _own("ollama"), 11434)


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_every_pod_has_a_policy_of_its_own_from_its_first_phase_on(
    registered: Record, phase: int
) -> None:
    recorded = registered(phase=phase)
    selected = [
        one.spec["podSelector"].get("matchLabels", {}) for one in recorded.of_kind("NetworkPolicy")
    ]
    for pod in pods(recorded):
        assert {"app": pod.labels["app"]} in selected, pod.name
