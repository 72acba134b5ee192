"""What the tests of the console's commands share: a stack file, the stand-in, and the runner."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from typer.testing import CliRunner, Result

from synapse.console.app import app
from tests.unit.api_stand_in import StandIn, api_stand_in

FORGE = Path(__file__).parents[2] / "Pulumi.forge.yaml"


@dataclass
class ConsoleCase:
    """A stack file whose cluster is the stand-in."""

    api: StandIn
    folder: Path

    def write(self, **changes: object) -> Path:
        """The forge's own stack file, its target the stand-in, with some keys changed."""
        document = yaml.safe_load(FORGE.read_text(encoding="utf-8"))
        target = {"kind": "cluster", "kubeconfig": str(self.api.kubeconfig(self.folder))}
        given = changes.pop("target", {})
        assert isinstance(given, Mapping)
        for key, value in {"target": target | dict(given), **changes}.items():
            document["config"][f"synapse:{key}"] = value
        path = self.folder / "Pulumi.test.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    def run(self, *arguments: str, **changes: object) -> Result:
        """Run a command as the shell would; a traceback is never what an operator gets."""
        config = self.write(**changes)
        result = CliRunner().invoke(
            app, [*arguments, "--config", str(config)], env={**os.environ, "COLUMNS": "200"}
        )
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result


@contextmanager
def console_case(folder: Path) -> Iterator[ConsoleCase]:
    with api_stand_in() as api:
        yield ConsoleCase(api, folder)
