"""One stack in a namespace of its own, and runs of the engine on it that a test can interrupt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import yaml

from tools.sim_stack import PROJECT, REPOSITORY, STACK, SimStack
from tools.simforge import SimForge
from tools.toolchain import Toolchain

Json = dict[str, Any]

SETTINGS = REPOSITORY / "Pulumi.sim.yaml"
PROGRAMS = Path(__file__).parent / "programs"
KUBECTL_SECONDS = 60
APPROVED = ("--yes", "--skip-preview")


class EventfulStack(SimStack):
    """A stack whose engine writes down its events, and whose program may be a test's."""

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
            # Where a test's program finds the room that it is about.
            "PYTHONPATH": str(REPOSITORY),
        }


@dataclass(frozen=True)
class Finished:
    """A run of the engine that has ended.

    Attributes:
        status: exit status; negative: ended by that signal.
        text: all that it printed.
        events: the engine's own log, in the order of time.
    """

    status: int
    text: str
    events: list[Json]

    def changes(self) -> dict[str, int]:
        """Number of resources by operation, as the engine sums them up."""
        summaries = [event["summaryEvent"] for event in self.events if "summaryEvent" in event]
        changes: dict[str, int] = summaries[-1]["resourceChanges"]
        return changes

    def steps(self, operation: str) -> Iterator[tuple[str, str]]:
        """(`begins` or `ends`, URN) of each step of this kind, in the order of time."""
        for event in self.events:
            for key, what in (("resourcePreEvent", "begins"), ("resOutputsEvent", "ends")):
                if key in event and event[key]["metadata"]["op"] == operation:
                    yield what, event[key]["metadata"]["urn"]

    def succeeded(self) -> Self:
        assert self.status == 0, self.text
        return self

    def failed(self) -> Self:
        assert self.status != 0, self.text
        assert "Traceback" not in self.text
        return self


class Run:
    """A run of the engine that is under way; leaving the block ends all of its processes."""

    def __init__(self, command: Sequence[str | Path], stack: SimStack, events: Path) -> None:
        self._events = events
        self._said = ""
        events.unlink(missing_ok=True)
        self._engine = subprocess.Popen(
            [*command, "--event-log", events],
            cwd=stack.program_dir,
            env=stack.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_processes()
        self._engine.communicate()

    @property
    def pid(self) -> int:
        return self._engine.pid

    def wait_for(self, *words: str) -> None:
        """Read on until one line holds all of these words."""
        assert self._engine.stdout
        for line in self._engine.stdout:
            self._said += line
            if all(word in line for word in words):
                return
        raise AssertionError(f"it ended without {' … '.join(words)}:\n{self._said}")

    def interrupt(self) -> None:
        """As Ctrl-C does: to the engine and to all that it started."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """The engine alone, as the kernel does when memory is short."""
        self._engine.kill()

    def finish(self) -> Finished:
        """Wait for its end."""
        assert self._engine.stdout
        self._said += self._engine.stdout.read()
        return Finished(self._engine.wait(), self._said, list(self._written()))

    def _written(self) -> Iterator[Json]:
        if self._events.exists():
            for line in self._events.read_text("utf-8").splitlines():
                yield json.loads(line)

    def _end_processes(self) -> None:
        """The session is the run's own, so whatever is left in it is the run's."""
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.pid:
                    process.kill()
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue


@dataclass(frozen=True)
class StackCase:
    """A stack, the forge that it runs on, and its namespace."""

    folder: Path
    forge: SimForge
    toolchain: Toolchain
    namespace: str
    program: str | None = None

    @property
    def stack(self) -> SimStack:
        """The stack in its state folder, with the program of the repository or of the test."""
        return EventfulStack(
            self.folder, self.toolchain, self.forge.kubeconfig, self._program_dir()
        )

    def configure(self, phase: int, **sections: object) -> None:
        """Write the settings: those of the simulated forge, with these sections in their place."""
        document = yaml.safe_load(SETTINGS.read_text("utf-8"))
        wanted = {"namespace": self.namespace, **sections}
        document["config"] |= {f"{PROJECT}:{key}": value for key, value in wanted.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(document), "utf-8")
        self.stack.prepare(settings, phase)

    def edit_config(self, edit: Callable[[Json], None]) -> None:
        """Change the prepared stack's file, as an operator does by hand."""
        document = yaml.safe_load(self.stack.config_file.read_text("utf-8"))
        edit(document["config"])
        self.stack.config_file.write_text(yaml.safe_dump(document), "utf-8")

    def start(self, command: str, *arguments: str, policies: bool = True) -> Run:
        """Start the engine, for use in a `with` block."""
        line = self.stack.command(command, *arguments, policies=policies)
        pulumi = self.toolchain.path("pulumi")
        return Run([pulumi, "--non-interactive", *line], self.stack, self.folder / "events.jsonl")

    def run(self, command: str, *arguments: str, policies: bool = True) -> Finished:
        """Run the engine to its end."""
        with self.start(command, *arguments, policies=policies) as run:
            return run.finish()

    def up(self, *arguments: str, policies: bool = True) -> Finished:
        """`pulumi up` without questions and without a preview."""
        return self.run("up", *APPROVED, *arguments, policies=policies)

    def pulumi(self, *arguments: str) -> str:
        """Any other command of Pulumi, on this stack."""
        return self.stack.checked("-C", str(self.folder / "project"), *arguments, "--stack", STACK)

    def resources_in_state(self) -> set[str]:
        """Types of all that the state holds."""
        return {resource["type"] for resource in self._exported()}

    def dependencies_in_state(self, urn: str) -> set[str]:
        """URNs of all that has to be there before this one, also by way of others."""
        before: dict[str, list[str]] = {
            resource["urn"]: resource.get("dependencies", []) for resource in self._exported()
        }
        found: set[str] = set()
        to_follow = [urn]
        while to_follow:
            new = set(before[to_follow.pop()]) - found
            found |= new
            to_follow += new
        return found

    def _exported(self) -> list[Json]:
        deployment = json.loads(self.pulumi("stack", "export"))["deployment"]
        resources: list[Json] = deployment.get("resources", [])
        return resources

    def kubectl(
        self, *arguments: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Kubectl as the cluster's administrator, in the stack's namespace."""
        return subprocess.run(
            [
                self.toolchain.path("kubectl"),
                f"--kubeconfig={self.forge.kubeconfig}",
                f"--namespace={self.namespace}",
                *arguments,
            ],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
        )

    def ask(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl says; it has to succeed."""
        done = self.kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *what: str) -> Json:
        """An object, or a list of them."""
        found: Json = json.loads(self.ask("get", *what, "-o", "json"))
        return found

    def names(self, kinds: str, *selector: str) -> set[str]:
        """`kind/name` of the objects in the namespace."""
        return {
            f"{item['kind']}/{item['metadata']['name']}"
            for item in self.get(kinds, *selector)["items"]
        }

    def namespace_exists(self) -> bool:
        return bool(self.ask("get", "namespace", self.namespace, "--ignore-not-found"))

    def claim_uids(self) -> dict[str, str]:
        """The identity of each volume claim, by its name."""
        return {
            claim["metadata"]["name"]: claim["metadata"]["uid"]
            for claim in self.get("persistentvolumeclaims")["items"]
        }

    def _program_dir(self) -> Path:
        """A test's program gets a project of its own: the repository's, with another `main`."""
        if self.program is None:
            return REPOSITORY
        project = self.folder / "programs" / self.program
        project.mkdir(parents=True, exist_ok=True)
        document = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text("utf-8"))
        virtual_environment = REPOSITORY / document["runtime"]["options"]["virtualenv"]
        document["runtime"]["options"]["virtualenv"] = str(virtual_environment)
        (project / "Pulumi.yaml").write_text(yaml.safe_dump(document), "utf-8")
        source = (PROGRAMS / f"{self.program}.py").read_text("utf-8")
        (project / "__main__.py").write_text(source, "utf-8")
        return project
