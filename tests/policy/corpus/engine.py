"""Previews sets of resources on the real engine with the pack; no cluster is needed for that."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.policy.changes import Json
from tests.policy.resource_sets import Resource, Resources
from tools.toolchain import Toolchain, load_versions

_PROGRAM = Path(__file__).parent / "program"
_PACK = Path(__file__).parents[3] / "policy"
_STACK = "dev"
_SECONDS = 180
_DEBUGGING = {"PULUMI_DEBUG_COMMANDS": "true"}  # for --event-log


class Said(NamedTuple):
    """A violation as the engine passes it on."""

    rule: str
    level: str
    message: str
    resource: str
    """Pulumi's name of the resource; that of the stack where a rule names none."""


@dataclass(frozen=True)
class Judged:
    """What one preview came to."""

    status: int
    said: tuple[Said, ...]
    text: str


@dataclass(frozen=True)
class Bench:
    """A folder for previews, each with a project and a state of its own."""

    folder: Path
    toolchain: Toolchain

    def preview(
        self, name: str, resources: Resources, config: Mapping[str, Json | str] | None = None
    ) -> Judged:
        """Preview a program that registers these, with the pack's config by rule."""
        project = self.folder / name
        shutil.copytree(_PROGRAM, project, ignore=shutil.ignore_patterns("__pycache__"))
        (project / "state").mkdir()
        document = {
            "provider_version": load_versions().program("pulumi-resource-kubernetes").version,
            "resources": [_written(one) for one in resources],
        }
        (project / "resources.json").write_text(json.dumps(document), "utf-8")
        (project / "config.json").write_text(json.dumps(config or {}), "utf-8")
        made = self._pulumi(project, "stack", "init", _STACK)
        assert made.returncode == 0, made.stderr
        done = self._pulumi(
            project,
            "preview",
            f"--stack={_STACK}",
            f"--policy-pack={_PACK}",
            f"--policy-pack-config={project / 'config.json'}",
            f"--event-log={project / 'events.jsonl'}",
        )
        events = (project / "events.jsonl").read_text("utf-8").splitlines()
        # A resource that the provider or the program refused would never have been judged.
        assert "errored" not in done.stdout, done.stdout
        said = tuple(_said(one["policyEvent"]) for one in map(json.loads, events) if _tells(one))
        return Judged(done.returncode, said, done.stdout + done.stderr)

    def _pulumi(self, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.toolchain.path("pulumi"), "--non-interactive", *arguments],
            cwd=project,
            env={
                **self.toolchain.environment(),
                **_DEBUGGING,
                "PULUMI_BACKEND_URL": f"file://{project / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE": "test",
            },
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


def _tells(event: Json) -> bool:
    return "policyEvent" in event


def _said(event: Json) -> Said:
    resource = event.get("resourceUrn", "").rpartition("::")[2]
    return Said(event["policyName"], event["enforcementLevel"], event["message"], resource)


def _written(one: Resource) -> Json:
    return {
        "type": one.type,
        "name": one.name,
        "inputs": one.inputs,
        "parent": one.parent,
        "options": one.options,
        "component": one.is_component,
    }
