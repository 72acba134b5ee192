"""One real LiteLLM proxy on loopback, on a config as the ConfigMap holds it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.gateway.environment import proxy_python

BOOT_SECONDS = 300.0
_END_SECONDS = 150.0
_POLL_SECONDS = 0.05
_TOLD_OF_A_FAILURE = 3000
_SCRATCH = "/tmp"  # noqa: S108  the container's
_TRANSPORT = Path(__file__).parent / "transport"


class ProxyError(Exception):
    """The proxy did not come up, or did not go."""


@dataclass
class Proxy:
    """A proxy that runs from `with` to the end of it, as the container of a pod would.

    Attributes:
        folder: a place of its own, for its files, its scratch and its log.
        mounts: a path in the container → the files of the ConfigMap that is mounted there.
        variables: the container's environment.
        arguments: what the container's command is told.
        services: `host:port` of a Service in the config → the port of loopback behind it.
        port: where it listens, in place of the container's port.
    """

    folder: Path
    mounts: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, str]
    arguments: Sequence[str]
    services: Mapping[str, int]
    port: int = 0
    boot_seconds: float = 0.0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            ProxyError: it ended, or was not ready in time.
        """
        began = time.perf_counter()
        self.launch()
        self.wait_until_ready()
        self.boot_seconds = time.perf_counter() - began

    def launch(self) -> None:
        """Start it, and do not wait."""
        python = proxy_python()
        for path, files in self.mounts.items():
            place = self._within(path)
            place.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (place / name).write_text(text, encoding="utf-8")
        self._within(_SCRATCH).mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        told = [*map(self._rooted, self.arguments), f"--port={self.port}", "--host=127.0.0.1"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [python, "-c", "from litellm import run_server; run_server()", *told],
                cwd=self._within(_SCRATCH),
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        """The container's own, none of this machine's, and the way to the stubs."""
        own = {name: self._rooted(value) for name, value in self.variables.items()}
        path = os.pathsep.join(filter(None, [str(_TRANSPORT), own.get("PYTHONPATH")]))
        services = json.dumps(dict(self.services))
        return {**own, "PATH": os.environ["PATH"], "PYTHONPATH": path, "SYNAPSE_SERVICES": services}

    def _within(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def _rooted(self, text: str) -> str:
        """A path of the container, alone or as `--option=path`, in this proxy's folder."""
        option, equals, path = text.rpartition("=")
        roots = {"/" + place.split("/")[1] for place in (*self.mounts, _SCRATCH)}
        inside = any(path == root or path.startswith(f"{root}/") for root in roots)
        return f"{option}{equals}{self._within(path)}" if inside else text

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "proxy.log"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None  # noqa: S101  a caller's mistake
        return self._process.pid

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Wait as its startup probe does.

        Raises:
            ProxyError: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + BOOT_SECONDS
        while not self.ready():
            if self._process is None or self._process.poll() is not None:
                raise ProxyError(f"the proxy ended at its start:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise ProxyError(f"not ready after {BOOT_SECONDS:g} s:\n{self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def ready(self) -> bool:
        """What its readiness probe would say."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/readiness")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def announce_leave(self) -> None:
        """Do what the container's preStop does before it waits."""
        self._within("/tmp/leaving").touch()  # noqa: S108  the container's

    def terminate(self) -> None:
        """Ask it to end, as the kubelet does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def wait_until_gone(self) -> None:
        """Wait for its end.

        Raises:
            ProxyError: it still runs after the longest drain.
        """
        if self._process is not None:
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                raise ProxyError(f"it still runs {_END_SECONDS:g} s after SIGTERM") from None

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()

    def _last_words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-_TOLD_OF_A_FAILURE:]


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
