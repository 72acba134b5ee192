"""The real Traefik before the real LiteLLM, by the IngressRoute that the program registers.

Traefik reads route, certificate and Service from a real API server. Simulated pods answer nobody,
so the Service there leads by its name to loopback: the transport is injected, the rest is as
deployed.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console

from synapse.settings.settings import Settings
from tests.components.recorder import record
from tests.conftest import Kubectl
from tests.gateway.conftest import plan_with
from tests.policy.good_stack import forge_config
from tools.gateway.balancer import Balancer
from tools.gateway.forge import KEY, Gateway, running_gateway
from tools.gateway.proxy import free_port
from tools.gateway.stubs import WORDS
from tools.simforge import SimForge
from tools.toolchain import ensure

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

HOST = "synapse.arunlabs.com"
SECRETS = {"synapse:gateway_key": KEY, "synapse:hf_token": "hf_nobodys"}
SERVICE, SERVICE_PORT = "litellm-proxy", 8000
BEHIND = "127.83.89.78"
"""An address of loopback with the Service's own port free: a route names no other."""
UPLOAD_BYTES = 25 << 20
START_SECONDS = 60.0


@dataclass(frozen=True)
class Edge:
    """Traefik's two entry points, and what a client trusts."""

    https_port: int
    http_port: int
    trust: ssl.SSLContext
    gateway: Gateway

    @contextmanager
    def client(self, host: str = HOST) -> Iterator[httpx2.Client]:
        headers = {"Host": host, "Authorization": f"Bearer {KEY}"}
        url = f"https://127.0.0.1:{self.https_port}"
        transport = _Named(host, self.trust)
        with httpx2.Client(base_url=url, headers=headers, transport=transport, timeout=60) as one:
            yield one


class _Named(httpx2.HTTPTransport):
    """Asks an address of loopback for a certificate of the public name."""

    def __init__(self, host: str, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust)
        self._host = host

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.extensions["sni_hostname"] = self._host
        return super().handle_request(request)


@pytest.fixture(scope="module")
def gateway(
    forge_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    plan = plan_with(forge_settings, phase=4)
    with running_gateway(plan, tmp_path_factory.mktemp("behind")) as one, _service(one):
        yield one


@contextmanager
def _service(gateway: Gateway) -> Iterator[None]:
    """The Service's name and port lead to the proxy."""
    over, stands = threading.Event(), threading.Event()

    async def forward() -> None:
        async with Balancer(BEHIND, SERVICE_PORT) as service:
            service.endpoints = [gateway.proxy.port]
            stands.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(forward()))
    thread.start()
    try:
        assert stands.wait(START_SECONDS)
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def edge(gateway: Gateway, simforge: SimForge, kubectl: Kubectl, tmp_path: Path) -> Iterator[Edge]:
    """Traefik on a simulated forge with the stack's route; gone afterwards."""
    namespace = f"edge-{uuid4().hex[:8]}"
    certificate, key = _certificate()
    route = record(forge_config(), SECRETS).object("IngressRoute", SERVICE).inputs
    metadata = {"name": SERVICE, "namespace": namespace}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": route["spec"]["tls"]["secretName"], "namespace": namespace},
            "stringData": {"tls.crt": certificate, "tls.key": key},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "type": "ExternalName",
                "externalName": BEHIND,
                "ports": [{"name": "http", "port": SERVICE_PORT}],
            },
        },
        {**route, "metadata": metadata},
    ]
    for one in objects:
        kubectl("apply", "-f", "-", stdin=json.dumps(one))
    try:
        with _traefik(simforge, namespace, tmp_path) as (https_port, http_port):
            trust = ssl.create_default_context(cadata=certificate)
            made = Edge(https_port, http_port, trust, gateway)
            _wait_until_routed(made)
            yield made
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


def _certificate() -> tuple[str, str]:
    """A wildcard certificate that nobody has signed but itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "*.arunlabs.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.arunlabs.com")]), False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), secret.decode()


@contextmanager
def _traefik(forge: SimForge, namespace: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Traefik with K3s's two entry points, on loopback."""
    https_port, http_port = free_port(), free_port()
    program = ensure(["traefik"], Console()).path("traefik")
    command = [
        str(program),
        f"--entryPoints.websecure.address=127.0.0.1:{https_port}",
        "--entryPoints.websecure.http.tls=true",
        f"--entryPoints.web.address=127.0.0.1:{http_port}",
        f"--providers.kubernetescrd.namespaces={namespace}",
        "--providers.kubernetescrd.allowExternalNameServices=true",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]
    environment = {"KUBECONFIG": str(forge.kubeconfig), "PATH": os.environ["PATH"]}
    with (folder / "traefik.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield https_port, http_port
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait_until_routed(edge: Edge) -> None:
    """Until the route has come from the API server."""
    deadline = datetime.now(UTC) + timedelta(seconds=START_SECONDS)
    with edge.client() as client:
        while datetime.now(UTC) < deadline:
            try:
                if client.get("/health/readiness").status_code == 200:
                    return
            except httpx2.TransportError:
                continue
    raise AssertionError("Traefik does not serve the route")


def test_https_is_served_by_the_public_name(edge: Edge) -> None:
    with edge.client() as client:
        body = {"model": "llama-3.2-8b", "messages": [{"role": "user", "content": "hi"}]}
        answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == " ".join(WORDS)


def test_plain_http_is_not_served(edge: Edge) -> None:
    with httpx2.Client(headers={"Host": HOST}) as client:
        answer = client.get(f"http://127.0.0.1:{edge.http_port}/health/readiness")
    assert answer.status_code == 404


def test_another_name_is_not_served(edge: Edge) -> None:
    with edge.client("other.arunlabs.com") as client:
        assert client.get("/health/readiness").status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/ui", "/key/generate", "/", "/health"])
def test_what_is_for_administrators_is_not_served(edge: Edge, path: str) -> None:
    with edge.client() as client:
        assert client.get(path).status_code == 404


def test_a_stream_arrives_while_it_is_made(edge: Edge) -> None:
    engine = edge.gateway.engine
    engine.word_seconds = 0.3
    body = {
        "model": "llama-3.2-8b",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }
    with edge.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as told:
        lines = (line for line in told.iter_lines() if line)
        first = next(lines)
        still_made = engine.running
        rest = list(lines)
    assert json.loads(first.removeprefix("data: "))
    assert still_made == 1, "the first words came with the last"
    assert rest[-1] == "data: [DONE]"


def test_a_long_recording_is_let_through(edge: Edge) -> None:
    recording = b"RIFF" + bytes(UPLOAD_BYTES)
    with edge.client() as client:
        answer = client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1"},
            files={"file": ("long.wav", recording, "audio/wav")},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["text"] == " ".join(WORDS)
    assert edge.gateway.speaches.heard_bytes > UPLOAD_BYTES
