"""`python -m synapse plan`, as a shell sees it."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from synapse.plan.model import Plan
from tests.unit.stacks import CONFIG

ROOT = Path(__file__).parents[2]
FORGE = ROOT / "Pulumi.forge.yaml"
SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
TOO_MUCH = """
config:
  synapse:node: { cpus: 32, memory_gib: 196 }
  synapse:gpu: { model: rtx-5090, budget_gib: 30, sharing: concurrent }
  synapse:engine: { gpu_memory_utilization: 0.65 }
  synapse:ollama: { memory_gib: 80 }
  synapse:speech: { tts: { licence_acknowledged: { by: me, date: 2026-11-22 } } }
"""
LIMIT_SECONDS = 60


def synapse(*arguments: str, cwd: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a terminal of 80 columns that has no colours."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SYNAPSE_")},
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "80",
        **more,
    }
    return subprocess.run(
        [sys.executable, "-m", "synapse", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


@pytest.fixture
def too_much(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.much.yaml"
    path.write_text(TOO_MUCH, encoding="utf-8")
    return path


def test_it_exits_0_when_all_fits() -> None:
    run = synapse("plan")
    assert (run.returncode, run.stderr) == (0, "")
    assert re.search(r"^fits: \d+ checks, phases 1 to 6$", run.stdout, re.MULTILINE)


def test_it_exits_1_when_something_does_not_and_says_what_to_do(too_much: Path) -> None:
    run = synapse("plan", "--config", str(too_much))
    assert (run.returncode, run.stderr) == (1, "")
    assert "refused vram-in-every-state, state 'chat+speech': vllm 0.65 × 31.36" in run.stdout
    assert "= 33.6 > 30.0 GiB; lower engine.gpu_memory_utilization to 0.53 or" in run.stdout
    assert "does not fit" in run.stdout.splitlines()[-1]


def test_it_exits_2_when_the_config_is_invalid(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text("config:\n  synapse:phase: 9\n  synapse:node: {cpus: 1}\n", encoding="utf-8")
    run = synapse("plan", "--config", str(path))
    assert (run.returncode, run.stdout) == (2, "")
    lines = run.stderr.splitlines()
    assert lines[0] == "error: 3 problems in the stack config:"
    assert len(lines) == 4
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("path", ["none.yaml", ".", "a\x1b[31m.yaml", "[red]x.yaml"])
def test_a_file_that_is_not_there_is_said_on_standard_error(path: str) -> None:
    run = synapse("plan", "--config", path)
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 2
    assert "\x1b" not in run.stderr and "name one by --config FILE" in run.stderr
    assert path.replace("\x1b", "\\x1b") in run.stderr


@pytest.mark.parametrize("phase", ["0", "7", "-1"])
def test_a_phase_that_is_none_exits_2(phase: str) -> None:
    run = synapse("plan", "--phase", phase)
    assert (run.returncode, run.stdout) == (2, "")
    assert phase in run.stderr and "Traceback" not in run.stderr


def test_only_phases_up_to_the_one_that_is_asked_for_are_judged(too_much: Path) -> None:
    early = synapse("plan", "--config", str(too_much), "--phase", "3")
    assert early.returncode == 0
    assert "coqui" not in early.stdout and "phases 1 to 3" in early.stdout
    late = synapse("plan", "--config", str(too_much), "--phase", "4")
    assert late.returncode == 1


def test_json_is_the_plan_and_follows_its_schema(too_much: Path) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for config, code in ((FORGE, 0), (too_much, 1)):
        run = synapse("plan", "--json", "--config", str(config))
        assert (run.returncode, run.stderr) == (code, "")
        dumped = json.loads(run.stdout)
        Draft202012Validator(SCHEMA).validate(dumped)
        refused = [
            one for one in dumped["verdicts"] if not one["fits"] and one["severity"] == "refuse"
        ]
        assert bool(refused) == bool(code)
        assert dumped["states"][0]["sum_gib"] > 0
        assert set(dumped) == set(Plan.model_fields)


def test_json_of_an_invalid_config_writes_nothing_on_standard_output(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("config: {synapse:phase: 0}", encoding="utf-8")
    run = synapse("plan", "--json", "--config", str(path))
    assert (run.returncode, run.stdout) == (2, "")


def test_it_needs_no_pulumi() -> None:
    code = (
        "import sys; from synapse.console.app import app\n"
        "try: app(['plan'])\n"
        "except SystemExit as end: code = end.code\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('pulumi', 'grpc')])\n"
        "sys.exit(code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "[]"), run.stderr


def test_80_columns_break_no_number_and_no_name() -> None:
    out = synapse("plan").stdout
    ledger, _, _ = out.partition("\nwarning ")
    assert all(len(line) <= 80 for line in ledger.splitlines())
    assert "…" not in out
    for state in ("legacy", "chat+tts-inference", "chat"):
        assert re.search(rf"^ *{re.escape(state)} ", out, re.MULTILINE), state
    for number in ("161.2 / 196.0", "192.0 / 196.0", "156.8", "31.36 GiB", "29.8   30.0"):
        assert number in out, number
    for volume in ("ollama-models", "huggingface-cache", "speech-models"):
        assert volume in out


def test_a_long_name_is_folded_and_never_cut(tmp_path: Path) -> None:
    name = "text-to-speech-of-the-old-days-on-the-gpu"
    path = tmp_path / "Pulumi.long.yaml"
    old = f"{{name: {name}, namespace: o, vram_gib: 1, memory_gib: 1, scaled_down_at: 4}}"
    path.write_text(TOO_MUCH + f"  synapse:legacy: [{old}]\n", encoding="utf-8")
    out = synapse("plan", "--config", str(path)).stdout
    assert "…" not in out and "196.0" in out


def test_a_wide_terminal_and_a_narrow_one_say_the_same_numbers() -> None:
    numbers = [
        sorted(re.findall(r"\d+\.\d+", synapse("plan", COLUMNS=columns).stdout))
        for columns in ("80", "200")
    ]
    assert numbers[0] == numbers[1]


def test_a_reader_that_goes_away_gets_no_traceback() -> None:
    for option in ("", "--json"):
        command = f"{shlex.quote(sys.executable)} -m synapse plan {option} | head -1"
        run = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert run.returncode == 0
        assert run.stderr == ""
        assert len(run.stdout.splitlines()) == 1


def test_it_writes_nothing_where_it_runs(tmp_path: Path) -> None:
    """Also as root, whom a read-only folder does not stop."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "Pulumi.forge.yaml").write_bytes(FORGE.read_bytes())
    (place / "Pulumi.forge.yaml").chmod(0o400)
    place.chmod(0o500)
    run = synapse("plan", cwd=place, HOME="/nonexistent", TMPDIR="/nonexistent")
    place.chmod(0o700)
    assert (run.returncode, run.stderr) == (0, "")
    assert [path.name for path in place.iterdir()] == ["Pulumi.forge.yaml"]


def test_a_config_comes_from_a_pipe_too() -> None:
    command = f"{shlex.quote(sys.executable)} -m synapse plan --config <(cat Pulumi.forge.yaml)"
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_environment_may_name_the_config(too_much: Path) -> None:
    assert synapse("plan", SYNAPSE_CONFIG=str(too_much)).returncode == 1


def test_the_config_is_that_of_the_forge() -> None:
    assert CONFIG["phase"] == 1
