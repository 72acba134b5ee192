"""Swaps that are killed, stopped or cannot be ended, under load: no request is lost by them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from synapse.names import TTS
from synapse.swap.run import Means
from synapse.swap.stop import Stop
from synapse.swap.timeline import Step
from tests.forge.swap_case import (
    IMPATIENT,
    LIMIT_SECONDS,
    LIMITS,
    SHORT_LEASE,
    SwapCase,
    Watching,
    restarted,
)
from tests.forge.traffic import ASKS, ENGINE, Traffic, metrics_at, traffic_of, unhurried
from tools.sim_stack import REPOSITORY
from tools.simforge import Outcome

STEPS = (Step.DRAIN, Step.SCALE_DOWN, Step.GONE, Step.SCALE_UP, Step.MEMORY, Step.READY)


@pytest.fixture(scope="module")
def _traffic(_swap_case: SwapCase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traffic]:
    _swap_case.reset()
    with traffic_of(_swap_case, tmp_path_factory.mktemp("traffic")) as traffic:
        yield traffic


@pytest.fixture
def traffic(case: SwapCase, _traffic: Traffic) -> Iterator[Traffic]:
    """A load through the whole of a test; whatever happens in it, nothing is lost."""
    _traffic.cut.clear()
    _traffic.caller.wait_until(lambda: _traffic.chats_elsewhere() is None, "the engine chats")
    with _traffic.load() as seen:
        yield _traffic
        if not case.is_at("chat"):
            timeline = case.swap("chat", limits=unhurried(SHORT_LEASE), means=means_of(_traffic))
            assert timeline.outcome == "swapped", timeline.why
        _traffic.caller.wait_until(lambda: _traffic.chats_elsewhere() is None, "the engine chats")
    assert case.is_at("chat")
    assert {kind: one.lost for kind, one in seen.items()} == {kind: [] for kind in ASKS}
    assert ENGINE not in _traffic.cut, "it had requests at its end"


def means_of(traffic: Traffic) -> Means:
    return Means(metrics_at(traffic.engine_metrics_url), log=None)


@pytest.mark.parametrize("step", STEPS)
def test_one_whose_holder_is_killed(case: SwapCase, traffic: Traffic, step: Step) -> None:
    dying = [sys.executable, "-m", "tests.forge.dying_swap"]
    ended = subprocess.run(
        [*dying, str(case.config), step.value, traffic.engine_metrics_url],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("step", STEPS)
def test_one_that_is_stopped(case: SwapCase, traffic: Traffic, step: Step) -> None:
    stop = Stop()

    def ask(when: str, at: Step) -> None:
        if (when, at) == ("began", step):
            stop.request("Ctrl-C")

    case.forge.behave(TTS, Outcome.NEVER_READY)  # so that the last step cannot be over already
    timeline = case.swap(
        "speech",
        observer=Watching(ask),
        stop=stop,
        limits=unhurried(LIMITS),
        means=means_of(traffic),
    )
    assert timeline.outcome == "went back", timeline.why


@pytest.mark.parametrize("outcome", [Outcome.CRASH_LOOP, Outcome.INITIALIZING])
def test_one_whose_pod_does_not_start(case: SwapCase, traffic: Traffic, outcome: Outcome) -> None:
    """As its container ends again and again, or as its memory never becomes free."""
    case.forge.behave(TTS, outcome)
    limits = IMPATIENT if outcome is Outcome.INITIALIZING else LIMITS
    timeline = case.swap("speech", limits=unhurried(limits), means=means_of(traffic))
    assert timeline.outcome == "went back", timeline.why


def test_one_whose_api_server_restarts(case: SwapCase, traffic: Traffic) -> None:
    with restarted(case, Step.SCALE_DOWN) as observer:
        timeline = case.swap(
            "speech", observer=observer, limits=unhurried(LIMITS), means=means_of(traffic)
        )
    assert timeline.outcome == "swapped", timeline.why
