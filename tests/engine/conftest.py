"""Fixtures of the real engine: a simulated forge, and stacks on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from rich.console import Console

from tests.engine.stack_case import Json, StackCase
from tools.render import render
from tools.sim_stack import REPOSITORY
from tools.simforge import NodeSpec, Outcome, SimForge
from tools.toolchain import Toolchain

Manifests = Callable[[str], list[Json]]
"""Gives the manifests that a stack file of the repository renders to, at phase 4."""

# Room for the stacks of many tests: each has a GPU, volumes and a namespace of its own.
_ROOMY = NodeSpec(cpu_cores=2000, memory_gib=16000, gpu_count=60, pods=1000, volume_count=180)


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
    """Phases 1 to 3 are up."""
    own_case.configure(phase=3)
    own_case.up().succeeded()
    return own_case


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """Renders a stack file through the real engine, once in a session."""

    @cache
    def rendered(stack_file: str) -> list[Json]:
        directory = tmp_path_factory.mktemp("rendered")
        written = render(REPOSITORY / stack_file, 4, directory, None, Console())
        manifests = [yaml.safe_load(file.read_text("utf-8")) for file in directory.rglob("*.yaml")]
        assert len(manifests) == written
        return manifests

    return rendered


def _behave_again(forge: SimForge) -> None:
    for app in forge.outcomes():
        forge.behave(app, Outcome.READY)
