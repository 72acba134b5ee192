"""Fixtures of the real engine: a simulated forge, and stacks on it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
import yaml
from rich.console import Console

from synapse.plan.phases import HIGHEST_BUILT
from tests.engine.stack_case import Json, StackCase
from tools.render import render
from tools.sim_stack import REPOSITORY
from tools.simforge import NodeSpec, Outcome, SimForge
from tools.toolchain import Toolchain


class Manifests(Protocol):
    """Gives the manifests that a stack file of the repository renders to, at a phase."""

    def __call__(self, stack_file: str, phase: int = HIGHEST_BUILT) -> list[Json]: ...


# Room for the stacks of many tests: each has a GPU, volumes and a namespace of its own.
_ROOMY = NodeSpec(
    cpu_cores=2000,
    memory_gib=16000,
    ephemeral_storage_gib=2000,
    gpu_count=60,
    pods=1000,
    volume_count=180,
)


@pytest.fixture(scope="session")
def _roomy_forge(
    toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimForge]:
    forge = SimForge(tmp_path_factory.mktemp("roomy-forge"), toolchain, _ROOMY)
    with forge.lent():
        yield forge


@pytest.fixture
def case(_roomy_forge: SimForge, toolchain: Toolchain, tmp_path: Path) -> Iterator[StackCase]:
    """A stack that nothing is deployed of yet, on a forge that it shares with other tests."""
    yield StackCase(tmp_path / "state", _roomy_forge, toolchain, f"test-{uuid4().hex[:8]}")
    _behave_again(_roomy_forge)


@pytest.fixture(scope="module")
def own_case(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackCase]:
    """A stack on a forge of this module's own, as large as the real one."""
    folder = tmp_path_factory.mktemp("own")
    forge = SimForge(folder / "forge", toolchain)
    with forge.lent():
        yield StackCase(folder / "state", forge, toolchain, "llm-infra")


@pytest.fixture(scope="module")
def deployed(own_case: StackCase) -> StackCase:
    """All phases that are built are up."""
    own_case.configure(phase=HIGHEST_BUILT)
    own_case.up().succeeded()
    return own_case


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """Renders a stack file at a phase through the real engine, once in a session."""

    @cache
    def render_once(stack_file: str, phase: int) -> list[Json]:
        directory = tmp_path_factory.mktemp("rendered")
        written = render(REPOSITORY / stack_file, phase, directory, None, Console())
        manifests = [yaml.safe_load(file.read_text("utf-8")) for file in directory.rglob("*.yaml")]
        assert len(manifests) == written
        return manifests

    def rendered(stack_file: str, phase: int = HIGHEST_BUILT) -> list[Json]:
        return render_once(stack_file, phase)

    return rendered


def _behave_again(forge: SimForge) -> None:
    for app in forge.outcomes():
        forge.behave(app, Outcome.READY)
