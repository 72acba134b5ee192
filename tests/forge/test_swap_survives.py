"""Swaps whose process is killed, whose API server is restarted, whose Lease is taken."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from synapse.cluster.errors import ClusterError
from synapse.names import TTS
from synapse.swap.hold import Hold
from synapse.swap.lease import HeldLease
from synapse.swap.run import Means
from synapse.swap.stop import Stop
from synapse.swap.timeline import Observer, Step, Timeline
from tests.forge.swap_case import LIMIT_SECONDS, SHORT_LEASE, SwapCase, Watching, restarted
from tests.swap.test_hold import CALL, PROBE
from tools.simforge import Outcome

REPOSITORY = Path(__file__).parents[2]
ALL = (
    Step.LEASE,
    Step.DRAIN,
    Step.SCALE_DOWN,
    Step.GONE,
    Step.SCALE_UP,
    Step.MEMORY,
    Step.READY,
    Step.RELEASE,
)


def swap_and_die(case: SwapCase, when: str, step: Step) -> None:
    """Run a swap to speech in a process of its own, which is killed at that moment."""

    def die(now: str, at: Step) -> None:
        if (now, at) == (when, step):
            os.kill(os.getpid(), signal.SIGKILL)

    def run() -> None:
        case.swap("speech", observer=Watching(die), limits=SHORT_LEASE, who="dead")

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(LIMIT_SECONDS)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("when", ["began", "ended"])
@pytest.mark.parametrize("step", ALL)
def test_after_a_kill_at_any_step_the_next_swap_converges(
    case: SwapCase, step: Step, when: str
) -> None:
    swap_and_die(case, when, step)
    assert len(case.gpu_pods()) <= 1
    # The one finishes what the dead one began, the other undoes it.
    target = "speech" if when == "began" else "chat"
    timeline = case.swap(target, limits=SHORT_LEASE)
    assert timeline.outcome in ("swapped", "already"), timeline.why
    assert case.is_at(target)


def test_the_way_back_after_a_kill_is_to_the_state_before_it(case: SwapCase) -> None:
    swap_and_die(case, "ended", Step.SCALE_DOWN)
    assert case.replicas() == (0, 0)
    case.forge.behave(TTS, Outcome.CRASH_LOOP)
    timeline = case.swap("speech", limits=SHORT_LEASE)
    assert timeline.outcome == "went back"
    assert timeline.steps[0].said == "a swap to speech was cut off at step scale-down"
    assert case.is_at("chat")


def sleep_and_wake(case: SwapCase, folder: Path, observer: Observer) -> Timeline:
    """A swap to speech in a process that stops itself, and goes on after a swap to chat."""
    ended = folder / "timeline.json"

    def run() -> None:
        timeline = case.swap("speech", observer=observer, limits=SHORT_LEASE, who="sleeper")
        ended.write_text(timeline.model_dump_json(), encoding="utf-8")

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    assert process.pid
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert case.swap("chat").outcome == "swapped"
    os.kill(process.pid, signal.SIGCONT)
    process.join(LIMIT_SECONDS)
    return Timeline.model_validate_json(ended.read_text(encoding="utf-8"))


def sleep() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def test_a_holder_that_was_taken_for_dead_touches_nothing_any_more(
    case: SwapCase, tmp_path: Path
) -> None:
    """As a laptop that sleeps in the middle of a swap, and wakes after another one."""

    def at_a_step(when: str, at: Step) -> None:
        if (when, at) == ("began", Step.SCALE_DOWN):
            sleep()

    timeline = sleep_and_wake(case, tmp_path, Watching(at_a_step))
    assert timeline.outcome == "failed"
    assert "lost the Lease gpu-swap: it was deleted" in timeline.why
    assert case.is_at("chat")


def test_nor_does_one_that_slept_right_before_a_write(
    case: SwapCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove = HeldLease.prove
    awake = os.getpid()

    def proven_then_asleep(lease: HeldLease) -> None:
        prove(lease)
        if os.getpid() != awake:
            sleep()

    monkeypatch.setattr(HeldLease, "prove", proven_then_asleep)
    timeline = sleep_and_wake(case, tmp_path, Watching())
    assert timeline.outcome == "failed"
    assert "lost the Lease" in timeline.why
    assert case.is_at("chat")


# The other steps are as long as these, and run with the soaks.
_SOAKED = [
    pytest.param(step, marks=() if step in (Step.SCALE_DOWN, Step.READY) else pytest.mark.long)
    for step in ALL
]


@pytest.mark.parametrize("step", _SOAKED)
def test_a_control_plane_that_restarts_at_any_step_delays_it(case: SwapCase, step: Step) -> None:
    with restarted(case, step) as observer:
        timeline = case.swap("speech", observer=observer)
    assert timeline.outcome == "swapped", timeline.why
    assert case.is_at("speech")


def test_a_control_plane_that_restarts_on_the_way_back_delays_it(case: SwapCase) -> None:
    case.forge.behave(TTS, Outcome.CRASH_LOOP)
    with restarted(case, Step.BACK) as observer:
        timeline = case.swap("speech", observer=observer)
    assert timeline.outcome == "went back", timeline.why
    assert case.is_at("chat")


# --- a swap that stays


def test_it_comes_back_when_its_time_is_over(case: SwapCase) -> None:
    seen = []

    def look(when: str, at: Step) -> None:
        if (when, at) == ("began", Step.HOLD):
            seen.append(case.gpu_pods())

    timeline = case.swap("speech", observer=Watching(look), hold=Hold(0.5, None))
    assert timeline.outcome == "swapped", timeline.why
    assert seen == [[TTS]]
    assert case.is_at("chat")


def test_it_comes_back_when_asked_to_and_another_wish_does_not_keep_it(case: SwapCase) -> None:
    stop = Stop()

    def ask(when: str, at: Step) -> None:
        if when == "began" and at is Step.HOLD:
            stop.request("SIGHUP", by_hand=False)
        if when == "ended" and at is Step.HOLD:
            stop.request("SIGTERM", by_hand=False)

    timeline = case.swap("speech", observer=Watching(ask), stop=stop, hold=Hold(3600, None))
    assert timeline.outcome == "swapped", timeline.why
    assert timeline.why == "SIGHUP"
    assert case.is_at("chat")


def test_it_comes_back_when_speech_was_idle(case: SwapCase) -> None:
    logs = [CALL + PROBE, None, "", PROBE + CALL]
    asked = []

    def read(pod: str, seconds: float) -> str:
        asked.append((pod.rpartition("-")[0].rpartition("-")[0], seconds))
        log = logs.pop(0) if logs else PROBE
        if log is None:
            raise ClusterError("no log", "look at the node")
        return log

    timeline = case.swap("speech", hold=Hold(None, 0.2), means=Means(metrics=None, log=read))
    assert timeline.outcome == "swapped", timeline.why
    assert timeline.why == "idle for 0.2 s"
    assert asked == [(TTS, 0.2)] * 5
    assert case.is_at("chat")


def test_while_it_stays_another_swap_may_take_over(case: SwapCase) -> None:
    holding = threading.Event()
    ended = []

    class Holder(Watching):
        def said(self, text: str) -> None:
            if text.endswith("s left"):
                holding.set()

    holder = threading.Thread(
        target=lambda: ended.append(
            case.swap("speech", observer=Holder(), hold=Hold(3600, None), who="holder")
        )
    )
    holder.start()
    assert holding.wait(LIMIT_SECONDS)
    assert case.swap("chat", who="other").outcome == "swapped"
    holder.join(LIMIT_SECONDS)
    [timeline] = ended
    assert timeline.outcome == "swapped"
    assert "this swap lost the Lease" in timeline.why
    assert case.is_at("chat")


# --- the command itself


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_command_brings_the_state_before_back(
    case: SwapCase, number: signal.Signals
) -> None:
    case.forge.behave(TTS, Outcome.NEVER_READY)
    command = [sys.executable, "-m", "synapse", "swap", "speech", "--config", str(case.config)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("ok     memory free"):
                process.send_signal(number)
                break
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 1, out + err
    assert "went back" in err
    assert number.name in err or "Ctrl-C" in err
    assert "Traceback" not in err
    assert case.is_at("chat")
