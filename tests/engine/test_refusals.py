"""What must not be deployed is refused with nothing created, and a secret is shown to nobody."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.engine.stack_case import Finished, StackCase

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

TOO_MUCH_VRAM = {"engine": {"gpu_memory_utilization": 0.98}}
TOO_MUCH_RAM = {"ollama": {"memory_gib": 180, "memory_request_gib": 32}}
OVER_BUDGET = pytest.mark.parametrize(
    ("settings", "limit"),
    [(TOO_MUCH_VRAM, "> 30.0"), (TOO_MUCH_RAM, "> 196.0")],
    ids=["vram", "ram"],
)
STACK_ALONE = {"pulumi:pulumi:Stack"}


@OVER_BUDGET
def test_program_refuses_before_anything_is_registered(
    case: StackCase, settings: dict[str, object], limit: str
) -> None:
    case.configure(3, **settings)
    refused = case.up().failed()
    assert "the stack is refused, nothing was touched" in refused.text
    assert limit in refused.text
    assert_nothing_was_created(case)


@OVER_BUDGET
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "skip-preview"])
def test_pack_refuses_when_the_programs_own_check_is_bypassed(
    case: StackCase, settings: dict[str, object], limit: str, preview: bool
) -> None:
    case.configure(3, **settings)
    unchecked = replace(case, program="unchecked")
    refused = (unchecked.run("up", "--yes") if preview else unchecked.up()).failed()
    assert "the stack is refused" not in refused.text  # the program has said nothing
    assert "[mandatory]" in refused.text
    assert "(synapse:stack:Synapse: synapse)" in refused.text  # the root, with all below it
    assert limit in refused.text
    assert_nothing_was_created(case)


def test_bypassing_program_deploys_what_fits(case: StackCase) -> None:
    """Else the pack's refusals above could be of anything."""
    case.configure(1)
    replace(case, program="unchecked").run("preview").succeeded()


def test_all_errors_of_a_config_are_told_at_once(case: StackCase) -> None:
    case.configure(
        7,
        node={"cpus": 32, "memory_gib": "196GB"},
        ollama={"memory": 32, "models": ["llama3.2:3b"], "default_model": "llama3.2:3b"},
        engine={"service_name": "vllm"},
    )
    refused = case.up().failed()
    assert "4 problems in the stack config" in refused.text
    for key in ("phase", "node.memory_gib", "ollama.memory", "engine.service_name"):
        assert f"synapse:{key}" in refused.text
    assert_nothing_was_created(case)


def test_cluster_that_does_not_answer_is_told_before_anything_is_registered(
    case: StackCase, tmp_path: Path
) -> None:
    case.configure(1)
    kubeconfig = yaml.safe_load(case.forge.kubeconfig.read_text("utf-8"))
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(yaml.safe_dump(kubeconfig), "utf-8")
    case.edit_config(lambda config: config["synapse:target"].update(kubeconfig=str(elsewhere)))
    refused = case.up().failed()
    assert "https://127.0.0.1:1" in refused.text
    assert_nothing_was_created(case)


def test_cluster_that_misses_a_prerequisite_is_told_which(case: StackCase) -> None:
    case.configure(2, gpu={"model": "rtx-5090", "budget_gib": 30, "runtime_class": "other"})
    refused = case.up().failed()
    assert "the cluster is not ready, nothing was touched" in refused.text
    assert "RuntimeClass" in refused.text
    assert_nothing_was_created(case)


def assert_nothing_was_created(case: StackCase) -> None:
    assert not case.namespace_exists()
    assert case.resources_in_state() <= STACK_ALONE


# --- secrets

VALUES = {"gateway_key": "sk-4711-plainly-visible", "hf_token": "hf_4711PlainlyVisible"}


@pytest.fixture
def with_secrets(case: StackCase) -> tuple[StackCase, list[Finished]]:
    """The stack is up with known secrets; and the runs so far."""
    case.configure(3)
    for key, value in VALUES.items():
        set_secret(case, key, value)
    return case, [case.run("preview", "--diff"), case.up(), case.run("preview", "--json")]


def test_secrets_are_shown_to_nobody(with_secrets: tuple[StackCase, list[Finished]]) -> None:
    case, runs = with_secrets
    shown = {f"run {number}": run.succeeded().text for number, run in enumerate(runs)}
    shown |= {str(file): read(file) for file in case.folder.rglob("*") if file.is_file()}
    logs = Path(case.stack.environment()["PULUMI_HOME"]) / "logs"
    shown |= {str(log): read(log) for log in newest(logs)}
    shown["outputs"] = str(case.stack.outputs())
    shown["state"] = case.pulumi("stack", "export")
    kinds = case.ask("api-resources", "--verbs=list", "--namespaced", "-o=name").split()
    kinds.remove("secrets")
    shown["objects"] = case.ask("get", ",".join([*kinds, "namespaces"]), "-o=yaml")
    assert "kind: ConfigMap" in shown["objects"]
    assert "kind: Event" in shown["objects"]

    for value in VALUES.values():
        for text in (value, base64.b64encode(value.encode()).decode()):
            assert not [where for where, what in shown.items() if text in what]

    # They are where they belong, or the search above has proven nothing.
    live = case.get("secrets")["items"]
    there = {base64.b64decode(one).decode() for secret in live for one in secret["data"].values()}
    assert set(VALUES.values()) <= there


def set_secret(case: StackCase, key: str, value: str) -> None:
    place = ("--stack", "sim", "--config-file", str(case.stack.config_file))
    case.stack.checked("config", "set", "--secret", key, *place, told=value)


def read(file: Path) -> str:
    return file.read_text("utf-8", errors="replace")


def newest(folder: Path, count: int = 6) -> list[Path]:
    """The logs that the engine has written last."""
    return sorted(folder.glob("*.log"), key=lambda log: log.stat().st_mtime)[-count:]
