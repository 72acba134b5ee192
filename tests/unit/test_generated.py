"""The generated documents are in step with the models, and say what the engine needs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from synapse.plan.model import Plan
from synapse.settings.load import parse
from synapse.settings.settings import Settings
from tools.generate.__main__ import app
from tools.generate.documents import Document, documents

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
REQUIRED = {"node": {"cpus": 32, "memory_gib": 196}, "gpu": {"model": "rtx-5090"}}


@pytest.mark.parametrize("document", list(documents(ROOT)), ids=lambda one: str(one.path.name))
def test_every_document_is_in_step(document: Document) -> None:
    assert document.path.read_text(encoding="utf-8") == document.text


def test_check_says_what_is_stale_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: synapse\n# mine\n", encoding="utf-8")
    read_only = ["Pulumi.forge.yaml", "policy"]
    for name in read_only:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setattr("tools.generate.__main__.ROOT", tmp_path)
    run = CliRunner().invoke(app, ["--check"])
    assert run.exit_code == 1
    assert "Pulumi.yaml as it would be" in run.output and "python -m tools.generate" in run.output
    assert {path.name for path in tmp_path.iterdir()} == {"Pulumi.yaml", *read_only}
    assert CliRunner().invoke(app, []).exit_code == 0
    assert (tmp_path / "Pulumi.yaml").read_text(encoding="utf-8").startswith("name: synapse\n# mi")
    assert CliRunner().invoke(app, ["--check"]).exit_code == 0
    assert {path.name for path in (tmp_path / "docs").iterdir()} == {
        "configuration.md",
        "plan.md",
        "plan.schema.json",
        "policies.md",
        "ledger.svg",
        "TTS-GPU-SHARING.md",
    }


def test_the_module_runs_as_a_command() -> None:
    command = [sys.executable, "-m", "tools.generate", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_every_key_is_declared_with_type_and_description() -> None:
    assert list(PROJECT["config"]) == list(Settings.model_fields)
    for name, declared in PROJECT["config"].items():
        assert declared["type"] in {"string", "integer", "boolean", "array", "object"}, name
        assert declared["description"], name
        assert ("items" in declared) == (declared["type"] == "array"), name


def test_only_what_has_no_default_is_asked_for() -> None:
    """The engine refuses a stack that leaves out a declared key without default."""
    without = {name for name, one in PROJECT["config"].items() if "default" not in one}
    assert without == set(REQUIRED)
    assert not any("secret" in declared for declared in PROJECT["config"].values())


def test_the_declared_defaults_are_those_of_the_settings() -> None:
    """The engine hands them over as if they stood in the stack file."""
    declared = {name: one["default"] for name, one in PROJECT["config"].items() if "default" in one}
    assert parse({**declared, **REQUIRED}) == parse(REQUIRED)


def test_no_secret_has_a_value() -> None:
    assert PROJECT["config"]["hf_token"]["default"] == ""
    assert PROJECT["config"]["gateway_key"]["default"] == ""


def test_the_project_s_hand_written_part_stands() -> None:
    assert (PROJECT["name"], PROJECT["runtime"]["name"]) == ("synapse", "python")
    assert PROJECT["runtime"]["options"] == {"toolchain": "pip", "virtualenv": ".venv"}
    assert PROJECT["description"]


def test_the_configuration_page_names_every_key_of_every_section() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for key in ("memory_gib", "gpu_memory_utilization", "residue_gib", "scaled_down_at", "tts"):
        assert f"| `{key}` |" in page
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert all(len(re.split(r"(?<!\\)\|", row)) == 7 for row in rows)
    assert "| `memory_gib` | number | **required** | GiB |" in page


def test_the_plan_s_page_names_every_field() -> None:
    page = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    for field in Plan.model_fields:
        assert f"| `{field}` |" in page
    links = set(re.findall(r"\(#(\w+)\)", page))
    assert links <= {name.lower() for name in re.findall(r"^## (\w+)$", page, re.MULTILINE)}
