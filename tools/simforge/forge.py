"""The simulated forge: a real control plane on loopback, and one simulated node."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from filelock import FileLock

from tools.private_file import write_private
from tools.simforge.api import Api
from tools.simforge.behaviour import Outcome, kwok_configuration
from tools.simforge.commands import ENVIRONMENT, PROGRAMS, commands
from tools.simforge.errors import SimForgeError
from tools.simforge.node import NODE_NAME, NodeSpec
from tools.simforge.objects import prepare
from tools.simforge.processes import Process, stop
from tools.toolchain import Toolchain

READY_SECONDS = 60
# The servers keep nothing; the API server would wait a minute for its watchers.
SERVER_GRACE_SECONDS = 0.5
STORE_GRACE_SECONDS = 5
_POLL_SECONDS = 0.05
_START_ATTEMPTS = 3
_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Status:
    """What of the simulated forge is there."""

    pids: dict[str, int | None]
    kubeconfig: Path
    url: str | None
    ready: bool


class Remains:
    """What a simulated forge leaves in its folder: enough to end it and to remove it.

    Args:
        folder: State folder of one simulated forge; nothing else lies in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        # In the order of starting.
        self.processes = {name: Process(name, self.folder) for name in PROGRAMS}

    def stop(self) -> None:
        """Ends the processes; the cluster's data stay."""
        store, *servers = self.processes.values()
        stop(servers, SERVER_GRACE_SECONDS)
        stop([store], STORE_GRACE_SECONDS)

    def destroy(self) -> None:
        """Ends the processes and removes the data."""
        stop(self.processes.values(), grace_seconds=0)
        shutil.rmtree(self.folder, ignore_errors=True)


class SimForge(Remains):
    """One simulated forge: start it, make its pods misbehave, stop it.

    Args:
        state_dir: Its folder: data, logs, kubeconfig. Made when it is not there.
        toolchain: Has etcd, the Kubernetes servers, kwok and Traefik's CRDs.
        node: Capacity of the simulated node.
    """

    def __init__(self, state_dir: Path, toolchain: Toolchain, node: NodeSpec | None = None) -> None:
        super().__init__(state_dir)
        self.toolchain = toolchain
        self.node = node or NodeSpec()
        self.kubeconfig = self.folder / "kubeconfig"

    def start(self) -> Path:
        """Starts what does not run, waits until pods can be scheduled, returns the kubeconfig.

        A forge that runs is left alone. One that runs only in part is stopped and started again
        with the same data, port and token.

        Raises:
            SimForgeError: It does not come up; the message names the log to look into.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(self.folder / "lock"):
            if not self._complete():
                self.stop()
                self._start_control_plane()
                self._start_the_rest()
        return self.kubeconfig

    def status(self) -> Status:
        """What runs now."""
        api = self._api()
        found = {name: process.running() for name, process in self.processes.items()}
        return Status(
            pids={name: process.pid if process else None for name, process in found.items()},
            kubeconfig=self.kubeconfig,
            url=api.url if api else None,
            ready=all(found.values()) and api is not None and api.ready(),
        )

    def behave(self, app: str, outcome: Outcome) -> None:
        """From now on, the pods with the label `app=<app>` have this outcome; old ones too."""
        outcomes = {**self.outcomes(), app: outcome}
        if outcome is Outcome.READY:
            del outcomes[app]
        (self.folder / "outcomes.json").write_text(json.dumps(outcomes), encoding="utf-8")
        stop([self.processes["kwok"]], SERVER_GRACE_SECONDS)
        self._start("kwok")

    def stop_servers(self) -> None:
        """Kills all but the store, as when K3s is restarted."""
        _, *servers = self.processes.values()
        stop(servers, grace_seconds=0)

    def start_servers(self) -> None:
        """Starts them again, and returns when they are started.

        Raises:
            SimForgeError: The API server does not come up.
        """
        self._start("kube-apiserver")
        self._wait("kube-apiserver", lambda: self.api().ready())
        for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
            self._start(name)

    def outcomes(self) -> dict[str, Outcome]:
        """The outcomes that `behave` has set, by `app` label."""
        try:
            raw = json.loads((self.folder / "outcomes.json").read_text(encoding="utf-8"))
        except OSError:
            return {}
        return {app: Outcome(value) for app, value in raw.items()}

    @contextmanager
    def lent(self) -> Iterator[Path]:
        """Runs for the length of a block, and is gone after it, also when this process is killed.

        A watchdog holds the other end of a pipe: it reads the pipe's end when this process ends,
        however it ends, and destroys the forge.
        """
        watchdog = subprocess.Popen(
            [sys.executable, "-m", "tools.simforge.watchdog", str(self.folder)],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield self.start()
        finally:
            watchdog.communicate()

    def api(self) -> Api:
        """A client of its API server.

        Raises:
            SimForgeError: It was never started.
        """
        api = self._api()
        if api is None:
            raise SimForgeError(f"no simulated forge in {self.folder}: start it first")
        return api

    def _complete(self) -> bool:
        return self.status().ready

    def _api(self) -> Api | None:
        try:
            config = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
        except OSError:
            return None
        return Api(
            url=config["clusters"][0]["cluster"]["server"],
            token=config["users"][0]["user"]["token"],
            certificate=self.folder / "certs" / "apiserver.crt",
        )

    def _start(self, name: str) -> None:
        port = int(self.api().url.rsplit(":", 1)[1])
        if name == "kwok":
            stages = kwok_configuration(self.outcomes())
            (self.folder / "kwok.yaml").write_text(stages, encoding="utf-8")
        arguments = commands(port)[name]
        self.processes[name].start(
            [self.toolchain.path(name), *arguments], ENVIRONMENT.get(name, {})
        )

    def _start_control_plane(self) -> None:
        for attempt in range(1, _START_ATTEMPTS + 1):
            self._write_credentials()
            self._start("etcd")
            self._start("kube-apiserver")
            try:
                self._wait("kube-apiserver", lambda: self.api().ready())
            except SimForgeError:
                self.stop()
                # Another program may have taken the port between its choice and its use.
                if attempt == _START_ATTEMPTS or _port_is_free(self.api().url):
                    raise
            else:
                return

    def _start_the_rest(self) -> None:
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._start(name)
        api = self.api()
        prepare(api, self.node, self.toolchain.path("traefik-crds.yaml"))
        # A node that has no capacity yet would get kwok's own idea of one.
        self._start("kwok")
        self._wait("kube-controller-manager", lambda: _has_service_account(api))
        self._wait("kwok", lambda: _node_is_ready(api))

    def _write_credentials(self) -> None:
        """The token and the kubeconfig: kept from start to start, unless the port is taken.

        What was deployed is tied to the kubeconfig, so a new port is a new cluster to Pulumi.
        """
        old = self._api()
        if old and _port_is_free(old.url):
            return
        token = old.token if old else secrets.token_urlsafe(32)
        write_private(self.folder / "tokens.csv", f"{token},admin,admin,system:masters\n")
        certificate = self.folder / "certs" / "apiserver.crt"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "simforge",
            "clusters": [
                {
                    "name": "simforge",
                    "cluster": {
                        "server": f"https://127.0.0.1:{_free_port()}",
                        "certificate-authority": str(certificate),
                    },
                }
            ],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "simforge", "context": {"cluster": "simforge", "user": "admin"}}],
        }
        write_private(self.kubeconfig, yaml.safe_dump(config, sort_keys=False))

    def _wait(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        log = self.processes[name].log
        while not condition():
            if self.processes[name].running() is None:
                raise SimForgeError(f"{name} ended while it was started: {_last_error(log)}")
            if time.monotonic() > deadline:
                raise SimForgeError(f"{name} was not ready after {READY_SECONDS} s; see {log}")
            time.sleep(_POLL_SECONDS)


def _has_service_account(api: Api) -> bool:
    return any(
        item["metadata"]["name"] == "default"
        for item in api.call("GET", "/api/v1/namespaces/default/serviceaccounts")["items"]
    )


def _node_is_ready(api: Api) -> bool:
    node = api.call("GET", f"/api/v1/nodes/{NODE_NAME}")
    conditions = node["status"].get("conditions", [])
    return not node["spec"].get("taints") and any(
        item["type"] == "Ready" and item["status"] == "True" for item in conditions
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port_is_free(url: str) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(url.rsplit(":", 1)[1])))
        except OSError:
            return False
    return True


def _last_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'it said nothing'} (log: {log})"
