"""A stand-in for an API server: real HTTP on loopback, canned answers, and a kubeconfig for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml

Body = Mapping[str, object] | str


@dataclass
class StandIn:
    """What it answers by path, and what it was asked."""

    answers: dict[str, tuple[int, Body]] = field(default_factory=dict)
    later: dict[str, list[tuple[int, Body]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    created: list[dict[str, object]] = field(default_factory=list)
    port: int = 0

    def has(self, path: str, body: Body, status: int = 200) -> None:
        self.answers[path] = (status, body)

    def then_has(self, path: str, body: Body) -> None:
        """What it answers from the next time on that it is asked this."""
        self.later.setdefault(path, []).append((200, body))

    def answer(self, path: str) -> tuple[int, Body]:
        found = self.answers.get(path, (404, status(404, f"{path} not found")))
        if self.later.get(path):
            self.answers[path] = self.later[path].pop(0)
        return found

    def service(self, name: str, port: int, answers: dict[str, tuple[int, Body]]) -> None:
        """A Service, and what it answers through the proxy."""
        path = f"/api/v1/namespaces/llm-infra/services/{name}"
        self.has(path, {"metadata": {"name": name}, "spec": {"ports": [{"port": port}]}})
        proxy = f"/api/v1/namespaces/llm-infra/services/http:{name}:{port}/proxy"
        for path, (status, body) in answers.items():
            self.has(proxy + path, body, status)

    def deployment(self, name: str, ready: int, namespace: str = "llm-infra") -> None:
        self.has(
            f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
            {
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "replicas": ready,
                    "selector": {},
                    "template": {"metadata": {}, "spec": {"containers": []}},
                },
                "status": {"readyReplicas": ready, "replicas": ready},
            },
        )

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": "stand-in",
                    "clusters": [
                        {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
                    ],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                    "contexts": [{"name": "stand-in", "context": {"cluster": "c", "user": "u"}}],
                }
            ),
            encoding="utf-8",
        )
        return path


def status(code: int, message: str) -> dict[str, object]:
    """The API server's own object for whatever is not success."""
    return {"kind": "Status", "apiVersion": "v1", "code": code, "message": message}


@contextmanager
def api_stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            stand_in.asked.append(path)
            self._send(*stand_in.answer(path))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            sent = json.loads(self.rfile.read(length))
            sent["metadata"]["name"] = sent["metadata"].pop("generateName") + "1"
            stand_in.created.append(sent)
            self._send(201, sent)

        def _send(self, code: int, body: Body) -> None:
            plain = isinstance(body, str)
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if plain else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
