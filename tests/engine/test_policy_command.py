"""`make policy`: the real engine behind the exit status, the SARIF and an untouched stack file."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tools.cli import app
from tools.sim_stack import REPOSITORY
from tools.toolchain import Toolchain

FORGE = REPOSITORY / "Pulumi.forge.yaml"
_PROGRAM = """\
import pulumi

class Thing(pulumi.CustomResource):
    pass

provider = pulumi.ProviderResource("kubernetes", "files", {"renderYamlToDirectory": "out"}, None)
pod = {"containers": [{"name": "web", "image": "nginx:1.29", "imagePullPolicy": "Never"}]}
props = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": pod}
Thing("kubernetes:core/v1:Pod", "web", props, pulumi.ResourceOptions(provider=provider))
"""


def _policy(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["policy", *map(str, arguments)])
    assert "Traceback" not in done.output
    return done.exit_code, done.output


def _results(sarif: Path) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = json.loads(sarif.read_text("utf-8"))["runs"][0]["results"]
    return results


@pytest.mark.engine
def test_a_stack_file_is_judged_from_nothing_and_stays_as_it_is(
    tmp_path: Path, toolchain: Toolchain
) -> None:
    """Without login, passphrase and cluster; a secret in the file is one of somebody else's."""
    assert toolchain.path("pulumi").exists()
    document = yaml.safe_load(FORGE.read_text("utf-8"))
    document["encryptionsalt"] = "v1:somebody:else's"
    document["config"]["synapse:gateway_key"] = {"secure": "v1:cannot:be:read"}
    config = tmp_path / "Pulumi.own.yaml"
    config.write_text(yaml.safe_dump(document), "utf-8")
    before = config.read_bytes()
    sarif = tmp_path / "found.sarif"
    status, output = _policy("--config", config, "--phase", "3", "--sarif", sarif)
    assert (status, "passed:" in output) == (0, True), output
    assert {one["level"] for one in _results(sarif)} <= {"warning"}
    assert config.read_bytes() == before
    assert {*tmp_path.iterdir()} == {config, sarif}


@pytest.mark.engine
def test_a_stack_of_a_backend_is_judged_and_its_file_stays_as_it_is(
    tmp_path: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: foreign\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(_PROGRAM)
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / 'state'}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    subprocess.run(
        [toolchain.path("pulumi"), "stack", "init", "dev"],
        cwd=tmp_path,
        env=toolchain.environment(),
        check=True,
    )
    file = tmp_path / "Pulumi.dev.yaml"
    before = file.read_bytes()
    pack_config = tmp_path / "pack.json"
    pack_config.write_text('{"all": "disabled", "never-pull-never": "mandatory"}')
    sarif = tmp_path / "found.sarif"
    there = ("--stack", "dev", "--program", tmp_path)
    status, output = _policy(*there, "--pack-config", pack_config, "--sarif", sarif)
    assert status == 1, output
    (found,) = _results(sarif)
    assert (found["ruleId"], found["level"]) == ("never-pull-never", "error")
    assert found["message"]["text"].startswith("Pod web: ")
    assert file.read_bytes() == before
    status, output = _policy("--stack", "none", "--program", tmp_path)
    assert (status, "no stack named 'none'" in output) == (2, True), output


def test_what_the_plan_refuses_is_a_violation_at_its_line(tmp_path: Path) -> None:
    text = FORGE.read_text("utf-8").replace("memory_gib: 196", "memory_gib: 96")
    config = tmp_path / "Pulumi.small.yaml"
    config.write_text(text, "utf-8")
    sarif = tmp_path / "found.sarif"
    status, output = _policy("--config", config, "--sarif", sarif)
    assert status == 1, output
    lines = {
        one["locations"][0]["physicalLocation"]["region"]["startLine"]
        for one in _results(sarif)
        if one["ruleId"] == "plan:ram-limits"
    }
    # The cure is ollama.memory_gib, the first key of its section.
    assert lines == {text.splitlines().index("  synapse:ollama:") + 2}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--config", "Pulumi.nowhere.yaml"), "a stack file of Pulumi"),
        (("--state", "nowhere.json"), "pulumi stack export"),
        (("--state", FORGE), "the engine has judged nothing"),
    ],
)
def test_what_cannot_be_judged_is_not_a_violation(
    arguments: tuple[str | Path, ...], problem: str
) -> None:
    status, output = _policy(*arguments)
    assert (status, problem in output) == (2, True), output
