"""An engine's /metrics behind an API server's pod proxy: real HTTP, scripted answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from synapse.cluster.access import Cluster, connect
from synapse.settings.machine import Target
from tests.unit.api_stand_in import StandIn

Kind = Literal["metrics", "refused", "late"]


@dataclass(frozen=True)
class Answer:
    """What one call gets."""

    kind: Kind
    text: str = ""


def metrics(running: object, waiting: object = 0) -> Answer:
    """As vLLM writes them: a series for each model and engine."""
    labels = '{engine="0",model_name="a {b} c"}'
    return Answer(
        "metrics",
        "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
        "# TYPE vllm:num_requests_running gauge\n"
        f"vllm:num_requests_running{labels} {running}\n"
        "# TYPE vllm:num_requests_waiting gauge\n"
        f"vllm:num_requests_waiting{labels} {waiting}\n"
        f"vllm:kv_cache_usage_perc{labels} 0.25\n",
    )


IDLE = metrics("0.0", "0.0")
NOT_TO_BE_BELIEVED = {
    "refused": Answer("refused"),
    "late": Answer("late", IDLE.text),
    "empty": Answer("metrics", ""),
    "a page": Answer("metrics", "<html>busy</html>\n"),
    "one gauge missing": Answer("metrics", 'vllm:num_requests_running{engine="0"} 0\n'),
    "the other one missing": Answer("metrics", "vllm:num_requests_waiting 0\n"),
    "cut off": Answer("metrics", IDLE.text.partition("vllm:kv")[0].rstrip("\n")),
    "no number": metrics("none"),
    "not a number": metrics("NaN"),
    "endless": metrics("+Inf"),
    "negative": metrics("-1"),
    "of nothing": metrics(""),
    "two engines, one garbled": Answer(
        "metrics", IDLE.text + 'vllm:num_requests_running{engine="1"} ?\n'
    ),
}
BUSY = {
    "running": metrics("2.0"),
    "waiting": metrics("0.0", "1.0"),
    "two engines, one busy": Answer(
        "metrics", IDLE.text + 'vllm:num_requests_running{engine="1"} 3\n'
    ),
}


@dataclass
class EngineStandIn:
    """Gives the answers one by one; the last one again and again."""

    answers: list[Answer] = field(default_factory=lambda: [IDLE])
    asked: int = 0
    port: int = 0

    def next(self) -> Answer:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @contextmanager
    def cluster(self, folder: Path) -> Iterator[Cluster]:
        """A client whose API server is this one."""
        kubeconfig = StandIn(port=self.port).kubeconfig(folder)
        with connect(Target.model_validate({"kubeconfig": str(kubeconfig)})) as cluster:
            yield cluster


@contextmanager
def engine_stand_in(*answers: Answer) -> Iterator[EngineStandIn]:
    stand_in = EngineStandIn(list(answers) or [IDLE])
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = stand_in.next()
            if answer.kind == "late":
                over.wait()
            content = answer.text.encode()
            self.send_response(503 if answer.kind == "refused" else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
