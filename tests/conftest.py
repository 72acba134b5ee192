"""Fixtures for all rooms: the real programs, and a simulated forge that is gone afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Protocol

import pytest
from rich.console import Console

from tools.sim_stack import PULUMI_PROGRAMS
from tools.simforge import SIMFORGE_PROGRAMS, Outcome, SimForge
from tools.toolchain import Toolchain, ensure

KUBECTL_SECONDS = 90


class Kubectl(Protocol):
    """Runs kubectl against the simulated forge and returns what it says."""

    def __call__(self, *arguments: str, stdin: str | None = None) -> str: ...


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """The real programs. `python -m tools toolchain` gets them beforehand, with its progress."""
    return ensure([*PULUMI_PROGRAMS, *SIMFORGE_PROGRAMS, "kubectl"], Console())


@pytest.fixture(scope="session")
def _shared_simforge(
    toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimForge]:
    forge = SimForge(tmp_path_factory.mktemp("simforge"), toolchain)
    with forge.lent():
        yield forge


@pytest.fixture
def simforge(_shared_simforge: SimForge) -> Iterator[SimForge]:
    """A running simulated forge, shared by the session: use a namespace of your own.

    The outcomes that a test gave to pods are taken back after it.
    """
    yield _shared_simforge
    for app in _shared_simforge.outcomes():
        _shared_simforge.behave(app, Outcome.READY)


@pytest.fixture
def kubectl(simforge: SimForge, toolchain: Toolchain) -> Kubectl:
    """The real kubectl on the shared simulated forge."""

    def run(*arguments: str, stdin: str | None = None) -> str:
        answer = subprocess.run(
            [toolchain.path("kubectl"), "--kubeconfig", simforge.kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run
