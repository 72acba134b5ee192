"""What GPU pods run before their end, run here for real: the commands of the pods themselves."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typing_extensions import override

from synapse.components.leaving import (
    DRAIN_SECONDS,
    GRACE_SECONDS,
    until_engine_is_idle,
    until_no_connection,
)
from synapse.components.speech_pods import COQUI_PORT
from synapse.names import ENGINE_GAUGES
from synapse.swap.limits import Limits
from tests.components.conftest import Record
from tests.components.pods import pod
from tests.components.recorder import Json

pytestmark = pytest.mark.timeout(60)

KINDS = list(ENGINE_GAUGES)
SAYS_NOTHING_SECONDS = 30


class Metrics:
    """An engine's metrics page, and an event for each look at it."""

    def __init__(self, kind: str) -> None:
        self.requests: str = "0"
        self.looks = threading.Semaphore(0)
        self._gauges = ENGINE_GAUGES[kind]

    def page(self) -> bytes:
        computed, waiting = self._gauges
        lines = [f'{computed}{{model="a b"}} 0.0', f'{waiting}{{model="a b"}} {self.requests}']
        return "\n".join(["# HELP x", *lines, "other_total 7", ""]).encode()


@contextmanager
def serving(metrics: Metrics) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = metrics.page()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            metrics.looks.release()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    assert command[0] == "python3"
    process = subprocess.Popen([sys.executable, *command[1:]])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _looked(metrics: Metrics, times: int) -> None:
    for _ in range(times):
        assert metrics.looks.acquire(timeout=SAYS_NOTHING_SECONDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("busy", ["1.0", "NaN", "lots"])
def test_an_engine_ends_when_its_requests_have(kind: str, busy: str) -> None:
    metrics = Metrics(kind)
    metrics.requests = busy
    with serving(metrics) as port, running(until_engine_is_idle(kind, port)) as process:
        _looked(metrics, 12)  # longer than an idle one would be waited for
        assert process.poll() is None
        metrics.requests = "0"
        assert process.wait(SAYS_NOTHING_SECONDS) == 0


def test_an_engine_that_stays_busy_is_waited_for_no_longer_than_told() -> None:
    metrics = Metrics("vllm")
    metrics.requests = "1"
    with serving(metrics) as port, running(until_engine_is_idle("vllm", port, 1)) as process:
        assert process.wait(SAYS_NOTHING_SECONDS) == 0


def test_an_engine_that_has_not_started_is_not_waited_for() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with running(until_engine_is_idle("vllm", bound.getsockname()[1])) as process:
            assert process.wait(SAYS_NOTHING_SECONDS) == 0


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_server_ends_when_nobody_is_connected(family: socket.AddressFamily) -> None:
    address = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}[family]
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection((address, port)) as caller:
            answering, _ = server.accept()
            with answering, running(until_no_connection(port)) as process:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(4)  # longer than nobody would be waited for
                answering.close()
                caller.close()
                assert process.wait(SAYS_NOTHING_SECONDS) == 0


def _before_end(container: Json) -> list[str]:
    command: list[str] = container["lifecycle"]["preStop"]["exec"]["command"]
    return command


@pytest.mark.parametrize("kind", KINDS)
def test_the_pods_run_these_commands(registered: Record, kind: str) -> None:
    recorded = registered(engine={"kind": kind})
    engine, coqui = pod(recorded, "vllm-inference"), pod(recorded, "coqui-tts")
    assert _before_end(engine.container) == until_engine_is_idle(kind, 8000)
    assert _before_end(coqui.container) == until_no_connection(COQUI_PORT)
    for one in (engine, coqui):
        assert one.spec["terminationGracePeriodSeconds"] == GRACE_SECONDS > DRAIN_SECONDS


def test_a_swap_waits_longer_for_a_pod_to_go_than_its_grace_period() -> None:
    assert Limits().gone_seconds > GRACE_SECONDS


def test_the_wait_for_memory_tells_its_reason_by_its_log(registered: Record) -> None:
    for name in ("vllm-inference", "coqui-tts"):
        (wait,) = pod(registered(), name).spec["initContainers"]
        assert wait["terminationMessagePolicy"] == "FallbackToLogsOnError", name
