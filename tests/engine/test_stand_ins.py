"""Our stand-ins, when they are used, do with the real engine what the official ones do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.toolchain import Toolchain

pytestmark = pytest.mark.engine

RUN_SECONDS = 120
Run = Callable[..., "subprocess.CompletedProcess[str]"]

PROGRAM = """
import pulumi
from pulumi_command import local

config = pulumi.Config()
if config.get("refuse"):
    raise pulumi.RunError("32.4 GiB > 30.0 GiB; lower it")
command = local.Command(
    "record",
    create='read line; echo "create $line" | tee -a journal; test "$line" != fail',
    update='echo "update after $PULUMI_COMMAND_STDOUT" >> journal; echo updated',
    delete="echo delete >> journal",
    stdin=config.get("line") or "first",
    triggers=[config.get("trigger") or "1"],
    environment={"TOKEN": config.get_secret("token") or "none"},
    dir=config.require("dir"),
)
pulumi.export("stdout", command.stdout)
"""

POLICY = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def validate(args, report):
    if args.props.get("stdin") == "forbidden":
        report("forbidden line")

PolicyPack(
    "pack",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[ResourceValidationPolicy(name="line", description="line", validate=validate)],
)
"""


@pytest.fixture
def run(toolchain: Toolchain, tmp_path: Path) -> Run:
    """Runs the engine in a small project of its own."""
    project = tmp_path / "project"
    (project / "policy").mkdir(parents=True)
    (tmp_path / "state").mkdir()
    (project / "Pulumi.yaml").write_text("name: small\nruntime: python\n", "utf-8")
    (project / "__main__.py").write_text(PROGRAM, "utf-8")
    (project / "policy" / "PulumiPolicy.yaml").write_text("runtime: python\n", "utf-8")
    (project / "policy" / "__main__.py").write_text(POLICY, "utf-8")
    environment = toolchain.environment() | {
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [toolchain.path("pulumi"), "--non-interactive", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    assert call("stack", "init", "test").returncode == 0
    assert call("config", "set", "dir", str(tmp_path)).returncode == 0
    return call


def up(run: Run, *settings: str) -> subprocess.CompletedProcess[str]:
    config = [part for setting in settings for part in ("-c", setting)]
    return run("up", "--yes", "--skip-preview", "--policy-pack", "policy", *config)


def test_command_life_without_a_warning(run: Run, tmp_path: Path) -> None:
    steps = [up(run), up(run), up(run, "line=second"), up(run, "trigger=2")]
    steps.append(run("destroy", "--yes", "--skip-preview"))
    for step in steps:
        assert step.returncode == 0, step.stdout + step.stderr
        assert "warning" not in (step.stdout + step.stderr).lower()
    assert (tmp_path / "journal").read_text("utf-8").splitlines() == [
        "create first",
        "update after create first",
        "create second",
        "delete",
        "delete",
    ]


def test_outputs_are_secret_when_an_input_is(run: Run, tmp_path: Path) -> None:
    assert run("config", "set", "--secret", "token", "sesame-4711").returncode == 0
    assert "[secret]" in up(run).stdout
    state = (tmp_path / "state").rglob("*.json*")
    assert not [file for file in state if "sesame-4711" in file.read_text("utf-8")]


def test_failures_are_told_and_end_in_failure(run: Run) -> None:
    failed = up(run, "line=fail")
    assert failed.returncode != 0
    assert "exit status 1" in failed.stdout
    refused = up(run, "line=first", "refuse=yes")
    assert refused.returncode != 0
    assert "32.4 GiB > 30.0 GiB; lower it" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr


def test_policy_pack_stops_what_it_forbids(run: Run, tmp_path: Path) -> None:
    stopped = up(run, "line=forbidden")
    assert stopped.returncode != 0
    assert "forbidden line" in stopped.stdout
    assert not (tmp_path / "journal").exists()
