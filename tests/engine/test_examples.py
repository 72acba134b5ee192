"""The examples that users copy: linted, and every command in them is one that exists."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from tools.cli import app
from tools.policy_report.config_file import config_problems
from tools.policy_report.pack import pack_rules
from tools.sim_stack import REPOSITORY
from tools.toolchain import ensure

EXAMPLES = REPOSITORY / "examples"
CI = EXAMPLES / "ci"
WORKFLOWS = sorted(CI.glob("github-*.yml"))
_OPTION = re.compile(r"--[a-z][a-z-]+")


def _commands(node: Any) -> Iterator[str]:
    """The shell commands of a workflow, in one line each."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "run":
                yield from value.replace("\\\n", " ").strip().splitlines()
            elif key == "script":
                yield from value
            else:
                yield from _commands(value)
    elif isinstance(node, list):
        for value in node:
            yield from _commands(value)


def _all_commands() -> list[str]:
    files = sorted(CI.glob("*.yml"))
    return [one for file in files for one in _commands(yaml.safe_load(file.read_text("utf-8")))]


def _options() -> set[str]:
    shown = CliRunner().invoke(app, ["policy", "--help"], env={"COLUMNS": "200"}, color=False)
    return set(_OPTION.findall(shown.output))


@pytest.mark.engine
def test_the_workflows_pass_actionlint() -> None:
    actionlint = ensure(["actionlint"], Console()).path("actionlint")
    assert WORKFLOWS
    done = subprocess.run(
        [actionlint, "-no-color", "-shellcheck=", "-pyflakes=", *WORKFLOWS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_make_command_of_an_example_is_one_of_the_makefile() -> None:
    made = [shlex.split(one)[1:] for one in _all_commands() if one.startswith("make ")]
    assert ["policy", "STACK=$STACK", "SARIF=policy.sarif", "JUNIT=policy.xml"] in made
    for words in made:
        here = words[2:] if words[0] == "-C" else words
        done = subprocess.run(
            ["make", "-n", *here], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        judging = done.stdout.partition("-m tools policy")[2]
        assert _options() >= set(_OPTION.findall(judging))
        for name, value in (word.split("=") for word in here if "=" in word):
            assert f"--{name.lower()} {value}" in judging or name == "STACK"


def test_every_option_of_an_example_is_one_of_the_command() -> None:
    lines = [one for one in _all_commands() if "-m tools policy" in one]
    assert lines
    for line in lines:
        assert set(_OPTION.findall(line)) <= _options()


def test_the_example_of_a_pack_config_is_valid() -> None:
    document = json.loads((EXAMPLES / "policy-pack-config.json").read_text("utf-8"))
    assert config_problems(document, pack_rules()) == []


def test_the_page_that_gitlab_includes_has_one_job_with_a_report() -> None:
    document = yaml.safe_load((CI / "gitlab-policy.yml").read_text("utf-8"))
    (job,) = document.values()
    assert Path(job["artifacts"]["reports"]["junit"]).suffix == ".xml"
    assert job["artifacts"]["when"] == "always"
    assert any("JUNIT=policy.xml" in line for line in job["script"])
