"""An `up` that is cut off in the middle, or not alone: the next one converges, volumes stay.

What holds a run in the middle is a pull Job whose pod never ends, so nothing here depends on time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.stack_case import APPROVED, Run, StackCase
from tools.sim_stack import SimStackError
from tools.simforge import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

HELD_APP, HELD_JOB = "ollama-pull", "ollama-pull-llama3-1-8b"


@contextmanager
def held_in_the_middle(case: StackCase) -> Iterator[Run]:
    """An `up` that waits for a Job which the API server has, and which does not end."""
    case.configure(1)
    case.forge.behave(HELD_APP, Outcome.NEVER_READY)
    with case.start("up", *APPROVED, policies=False) as run:
        run.wait_for(HELD_JOB, "Active: 1")
        yield run


def assert_converges(case: StackCase, claims: dict[str, str]) -> None:
    """Another `up` brings the stack to where it should be, and one more has nothing to do."""
    case.forge.behave(HELD_APP, Outcome.READY)
    case.configure(1)
    case.up(policies=False).succeeded()
    again = case.run("refresh", "--yes", "--expect-no-changes", policies=False).succeeded()
    assert again.changes().keys() == {"same"}
    assert case.names("deployments,jobs") == {
        "Deployment/ollama",
        "Job/ollama-pull-llama3-1-8b",
        "Job/ollama-pull-llama3-2-3b",
    }
    assert claims
    assert case.claim_uids() == claims


def test_engine_that_is_killed(case: StackCase) -> None:
    with held_in_the_middle(case) as run:
        claims = case.claim_uids()
        run.kill()
    assert_converges(case, claims)


def test_ctrl_c_ends_the_run_and_releases_the_stack(case: StackCase) -> None:
    with held_in_the_middle(case) as run:
        claims = case.claim_uids()
        run.interrupt()
        run.finish().failed()
    locks = case.folder / "backend" / ".pulumi" / "locks"
    assert not list(locks.rglob("*.json"))
    assert_converges(case, claims)


def test_api_server_that_dies_and_comes_back(own_case: StackCase) -> None:
    with held_in_the_middle(own_case) as run:
        claims = own_case.claim_uids()
        server = own_case.forge.processes["kube-apiserver"].running()
        assert server
        server.kill()
        server.wait()
        own_case.forge.start()
        own_case.forge.behave(HELD_APP, Outcome.READY)
        run.finish()
    assert_converges(own_case, claims)


def test_second_run_at_the_same_time_is_refused(case: StackCase) -> None:
    with held_in_the_middle(case) as run:
        with pytest.raises(
            SimStackError, match=rf"at work on this stack already \(pid {run.pid}\)"
        ):
            case.configure(1)
        second = case.up(policies=False).failed()
        assert "the stack is currently locked by 1 lock(s)" in second.text
        case.forge.behave(HELD_APP, Outcome.READY)
        run.finish().succeeded()


def test_state_folder_that_cannot_be_written_is_one_clear_line(
    case: StackCase, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    if os.geteuid() == 0:  # no mode keeps root out, but nobody makes a folder inside a file
        closed.write_text("", "utf-8")
    else:
        closed.mkdir(mode=0o500)
    with pytest.raises(SimStackError, match=f"{closed}.*SYNAPSE_STATE") as refused:
        replace(case, folder=closed / "state").stack.prepare(Path("unread.yaml"), 1)
    assert "\n" not in str(refused.value)
