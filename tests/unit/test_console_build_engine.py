"""`build-engine`: its commands, and what it refuses before it runs one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.console_case import ConsoleCase, console_case

IMAGE = "registry.arunlabs.com/vllm-rtx5090:v0.20.2"


@pytest.fixture
def case(tmp_path: Path) -> Iterator[ConsoleCase]:
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    with console_case(tmp_path) as made:
        yield made


def engine(context: str = "image", tool: str = "docker", **more: str) -> dict[str, object]:
    return {"build": {"context": context, "tool": tool}, **more}


def tool(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> Path:
    """A container tool of this name that writes down how it was called."""
    calls = folder / "calls"
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return calls


def test_dry_run_prints_both_commands_and_needs_no_tool(
    case: ConsoleCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = case.run("build-engine", "--dry-run", engine=engine(tool="podman"))
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"podman build --tag {IMAGE} {case.folder / 'image'}",
        f"podman push {IMAGE}",
    ]


def test_a_digest_is_not_part_of_the_tag_that_is_built(case: ConsoleCase) -> None:
    image = "registry.arunlabs.com/vllm-rtx5090:v0.20.2@sha256:" + "0" * 64
    result = case.run("build-engine", "--dry-run", engine=engine(image=image))
    assert f"docker push {IMAGE}\n" in result.output


def test_it_builds_then_pushes(case: ConsoleCase, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tool(case.folder, monkeypatch, "docker", "exit 0")
    assert case.run("build-engine", engine=engine()).exit_code == 0
    assert calls.read_text(encoding="utf-8").splitlines() == [
        f"build --tag {IMAGE} {case.folder / 'image'}",
        f"push {IMAGE}",
    ]


def test_a_build_that_fails_is_not_pushed(
    case: ConsoleCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tool(case.folder, monkeypatch, "docker", "exit 3")
    result = case.run("build-engine", engine=engine())
    assert result.exit_code == 1
    assert "ended with 3" in result.output
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 1


def test_a_version_that_cannot_run_on_the_gpu_is_refused(case: ConsoleCase) -> None:
    image = "registry.arunlabs.com/vllm-rtx5090:v0.8.1"
    result = case.run("build-engine", "--dry-run", engine=engine(image=image))
    assert result.exit_code == 1
    assert "0.9.2" in result.output
    assert "docker build" not in result.output


def test_a_missing_tool_says_which_one_is_there(
    case: ConsoleCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(case.folder, monkeypatch, "podman", "exit 0")
    result = case.run("build-engine", engine=engine(tool="nerdctl"))
    assert result.exit_code == 2
    assert "engine.build.tool = nerdctl" in result.output
    assert "podman" in result.output


def test_a_context_without_a_dockerfile_is_refused(case: ConsoleCase) -> None:
    result = case.run("build-engine", "--dry-run", engine=engine(context="elsewhere"))
    assert result.exit_code == 2
    assert "Dockerfile" in result.output


def test_without_the_section_it_says_what_to_add(case: ConsoleCase) -> None:
    result = case.run("build-engine")
    assert result.exit_code == 2
    assert "synapse:engine.build" in result.output
