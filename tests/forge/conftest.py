"""A simulated forge for swaps: its one GPU is theirs, and its API server may be restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.forge.swap_case import SwapCase, swap_case
from tools.simforge import NodeSpec, Outcome, SimForge
from tools.toolchain import Toolchain


@pytest.fixture(scope="session")
def _swap_forge(
    toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimForge]:
    forge = SimForge(tmp_path_factory.mktemp("swapforge"), toolchain, NodeSpec(volume_count=0))
    with forge.lent():
        yield forge


@pytest.fixture(scope="session")
def _swap_case(
    _swap_forge: SimForge, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SwapCase]:
    with swap_case(_swap_forge, toolchain, tmp_path_factory.mktemp("swapcase")) as made:
        yield made


@pytest.fixture
def case(_swap_case: SwapCase) -> Iterator[SwapCase]:
    """The engine has the GPU, speech has no replica, and nobody swaps."""
    _swap_case.reset()
    yield _swap_case
    for app in _swap_case.forge.outcomes():
        _swap_case.forge.behave(app, Outcome.READY)
