"""HTTPS in, and what is not let in."""

import re

import pytest

from tests.components.conftest import Record
from tests.components.recorder import Registered

CLIENT_PATHS = ("/v1/chat/completions", "/v1/models", "/v1/embeddings", "/v1/audio/speech")
ADMIN_PATHS = (
    "/metrics",
    "/metrics/",
    "/health",
    "/ui",
    "/ui/login",
    "/key/generate",
    "/model/new",
    "/config/update",
    "/docs",
    "/openapi.json",
    "/",
)


def _lets_in(route: Registered, path: str) -> bool:
    """Whether a path prefix of the route's one rule covers the path."""
    (rule,) = route.spec["routes"]
    host, _, paths = rule["match"].partition(" && ")
    assert re.fullmatch(r"Host\(`[a-z0-9.-]+`\)", host)
    prefixes = re.findall(r"PathPrefix\(`([^`]+)`\)", paths)
    assert paths == "(" + " || ".join(f"PathPrefix(`{one}`)" for one in prefixes) + ")"
    return any(path.startswith(prefix) for prefix in prefixes)


def test_one_host_over_https_alone_with_the_wildcard_certificate(registered: Record) -> None:
    (route,) = registered().of_kind("IngressRoute")
    assert route.inputs["apiVersion"] == "traefik.io/v1alpha1"
    assert route.spec["entryPoints"] == ["websecure"]
    assert route.spec["tls"] == {"secretName": "arunlabs-wildcard-tls"}
    (rule,) = route.spec["routes"]
    assert rule["match"].startswith("Host(`synapse.arunlabs.com`) && ")
    assert rule["services"] == [{"name": "litellm-proxy", "port": 8000}]


def test_the_service_and_port_behind_it_exist(registered: Record) -> None:
    recorded = registered(ollama={"ingress_host": "ollama.arunlabs.com"})
    for route in recorded.of_kind("IngressRoute"):
        (target,) = route.spec["routes"][0]["services"]
        service = recorded.object("Service", target["name"])
        assert target["port"] in {port["port"] for port in service.spec["ports"]}


@pytest.mark.parametrize("path", CLIENT_PATHS)
def test_what_clients_ask_for_is_let_in(registered: Record, path: str) -> None:
    assert _lets_in(registered().of_kind("IngressRoute")[0], path)


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_metrics_and_administration_are_not(registered: Record, path: str) -> None:
    assert not _lets_in(registered().of_kind("IngressRoute")[0], path)


def test_without_a_host_nothing_comes_in(registered: Record) -> None:
    recorded = registered(gateway={"host": None})
    assert recorded.of_kind("IngressRoute") == []
    assert "public" not in recorded.outputs["endpoints"]


def test_ollama_has_no_host_unless_asked_for(registered: Record) -> None:
    hosts = [one.object_name for one in registered(phase=1).of_kind("IngressRoute")]
    assert hosts == []
    recorded = registered(phase=1, ollama={"ingress_host": "ollama.arunlabs.com"})
    (route,) = recorded.of_kind("IngressRoute")
    assert route.object_name == "ollama"
    assert route.spec["entryPoints"] == ["websecure"]
    assert route.spec["tls"] == {"secretName": "arunlabs-wildcard-tls"}
    assert _lets_in(route, "/api/tags")
    assert not _lets_in(route, "/")
