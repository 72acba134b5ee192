"""Swaps on a real API server, with a real scheduler and simulated pods."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from synapse.names import TTS
from synapse.swap.errors import SwapError
from synapse.swap.requests import metrics_through
from synapse.swap.run import Means
from synapse.swap.stop import Stop
from synapse.swap.timeline import Step, Timeline
from tests.forge.swap_case import IMPATIENT, LIMITS, SHORT_LEASE, SwapCase, Watching
from tests.swap.engine_stand_in import IDLE, NOT_TO_BE_BELIEVED, engine_stand_in, metrics
from tools.simforge import Outcome

FORWARD = (
    Step.LEASE,
    Step.DRAIN,
    Step.SCALE_DOWN,
    Step.GONE,
    Step.SCALE_UP,
    Step.MEMORY,
    Step.READY,
)


def test_both_ways_ten_times(case: SwapCase) -> None:
    for _ in range(10):
        for target in ("speech", "chat"):
            timeline = case.swap(target)
            assert timeline.outcome == "swapped", timeline.why
            assert case.is_at(target)
    assert tuple(one.step for one in timeline.steps) == (*FORWARD, Step.RELEASE)
    assert len([event for event in case.events() if "GpuSwapped" in event]) == 20


def test_what_is_there_already_is_left_alone(case: SwapCase) -> None:
    before = case.kubectl("get", "deployments", "-o", "jsonpath={.items[*].metadata.generation}")
    assert case.swap("chat").outcome == "already"
    after = case.kubectl("get", "deployments", "-o", "jsonpath={.items[*].metadata.generation}")
    assert before == after
    assert case.is_at("chat")


def test_a_pod_that_never_becomes_ready_brings_the_state_before_back(case: SwapCase) -> None:
    case.deploy(start_seconds=3)
    case.forge.behave(TTS, Outcome.NEVER_READY)
    timeline = case.swap("speech")
    assert timeline.outcome == "went back"
    assert "coqui-tts ready: not within 3 s" in timeline.why
    assert case.is_at("chat")
    assert any("GpuSwapFailed" in event and "Went back" in event for event in case.events())


def test_a_pod_that_ends_again_and_again_is_not_waited_for(case: SwapCase) -> None:
    case.forge.behave(TTS, Outcome.CRASH_LOOP)
    timeline = case.swap("speech")
    assert timeline.outcome == "went back"
    assert "ended 5 times" in timeline.why
    assert case.is_at("chat")


def test_memory_that_never_becomes_free_brings_the_state_before_back(case: SwapCase) -> None:
    case.forge.behave(TTS, Outcome.INITIALIZING)
    timeline = case.swap("speech", limits=IMPATIENT)
    assert timeline.outcome == "went back"
    assert "memory for coqui-tts free: not within 3 s" in timeline.why
    assert [one.step for one in timeline.steps if one.ended == "failed"] == [Step.MEMORY]
    assert case.is_at("chat")


@pytest.mark.parametrize("step", FORWARD[1:])
def test_asked_to_stop_at_any_step_it_goes_back(case: SwapCase, step: Step) -> None:
    stop = Stop()

    def ask(when: str, at: Step) -> None:
        if (when, at) == ("began", step):
            stop.request("Ctrl-C")

    case.forge.behave(TTS, Outcome.NEVER_READY)  # so that the last step cannot be over already
    timeline = case.swap("speech", observer=Watching(ask), stop=stop)
    assert timeline.outcome == "went back", timeline.why
    assert "stopped by Ctrl-C" in timeline.why
    assert case.is_at("chat")


def test_a_second_wish_to_stop_leaves_it_to_the_next_swap(case: SwapCase) -> None:
    stop = Stop()

    def ask(when: str, at: Step) -> None:
        if when == "began" and at in (Step.READY, Step.BACK):
            stop.request("Ctrl-C")

    case.forge.behave(TTS, Outcome.NEVER_READY)
    case.forge.behave(case.engine, Outcome.NEVER_READY)
    timeline = case.swap("speech", observer=Watching(ask), stop=stop, limits=SHORT_LEASE)
    assert timeline.outcome == "failed"
    assert "left as it is" in timeline.why
    case.forge.behave(case.engine, Outcome.READY)
    assert case.swap("chat").outcome == "swapped"
    assert case.is_at("chat")


def test_while_one_swap_works_another_is_refused(case: SwapCase) -> None:
    refusals = []

    def second(when: str, at: Step) -> None:
        if (when, at) == ("began", Step.GONE):
            with pytest.raises(SwapError) as refused:
                case.swap("chat", who="second")
            refusals.append(str(refused.value))

    timeline = case.swap("speech", observer=Watching(second), who="first")
    assert timeline.outcome == "swapped"
    [refusal] = refusals
    assert "held by first-" in refusal
    assert "chat → speech, step scale-down" in refusal
    assert case.is_at("speech")


def test_two_at_once_never_have_both_on_the_gpu(case: SwapCase) -> None:
    ended: dict[str, Timeline | SwapError] = {}
    together: list[list[str]] = []

    def look(_when: str, _at: Step) -> None:
        together.append(case.gpu_pods())

    def run(target: str) -> None:
        try:
            ended[target] = case.swap(target, observer=Watching(look), who=target)
        except SwapError as error:
            ended[target] = error

    threads = [threading.Thread(target=run, args=(target,)) for target in ("speech", "chat")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(len(pods) for pods in together) == 1
    assert case.is_at("speech") or case.is_at("chat")
    for target, how in ended.items():
        assert isinstance(how, SwapError) or how.outcome in ("swapped", "already"), (target, how)


@pytest.mark.parametrize("step", FORWARD[1:])
def test_a_change_by_somebody_else_at_any_step_is_noticed(case: SwapCase, step: Step) -> None:
    def change(when: str, at: Step) -> None:
        if (when, at) == ("began", step):
            case.kubectl("set", "image", f"deployment/{TTS}", "main=registry.example/main:2")

    case.forge.behave(TTS, Outcome.NEVER_READY)
    timeline = case.swap("speech", observer=Watching(change))
    assert timeline.outcome == "went back", timeline.why
    assert "coqui-tts was changed by somebody else: its template" in timeline.why
    assert case.is_at("chat")
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert case.kubectl("get", f"deployment/{TTS}", "-o", image).endswith(":2")


def test_somebody_elses_scaling_is_noticed(case: SwapCase) -> None:
    def change(when: str, at: Step) -> None:
        if (when, at) == ("ended", Step.SCALE_DOWN):
            case.kubectl("scale", f"deployment/{case.engine}", "--replicas=1")

    timeline = case.swap("speech", observer=Watching(change))
    assert timeline.outcome == "went back"
    assert "was scaled to 1, not 0" in timeline.why
    assert case.is_at("chat")


def test_a_deployment_that_is_gone_is_noticed(case: SwapCase) -> None:
    def change(when: str, at: Step) -> None:
        if (when, at) == ("began", Step.GONE):
            case.kubectl("delete", f"deployment/{TTS}")

    timeline = case.swap("speech", observer=Watching(change))
    assert timeline.outcome == "went back"
    assert "it was deleted" in timeline.why
    assert case.gpu_pods() == [case.engine]
    assert case.lease() is None
    with pytest.raises(KeyError):
        case.replicas()
    assert "no Deployment coqui-tts" in case.swap("speech").why
    assert case.lease() is None


def test_it_drains_before_it_takes_anything_away(case: SwapCase, tmp_path: Path) -> None:
    answers = [metrics(2), *NOT_TO_BE_BELIEVED.values(), metrics(0, 1), IDLE, metrics(1), IDLE]
    seen_at: dict[Step, int] = {}
    served: list[str] = []

    def note(when: str, at: Step) -> None:
        seen_at.setdefault(at, engine.asked)
        if (when, at) == ("ended", Step.DRAIN):
            served.append(case.endpoints(case.engine))

    with engine_stand_in(*answers) as engine, engine.cluster(tmp_path) as api:
        means = Means(metrics_through(api, case.namespace, within_seconds=0.3), log=None)
        timeline = case.swap("speech", observer=Watching(note), means=means)
    assert timeline.outcome == "swapped", timeline.why
    # All but the last are not idle, or not for long enough.
    assert seen_at[Step.SCALE_DOWN] > len(answers)
    assert served == [""]
    assert case.is_at("speech")


def test_an_engine_that_stays_busy_keeps_the_gpu_and_serves_again(
    case: SwapCase, tmp_path: Path
) -> None:
    with engine_stand_in(metrics(1)) as engine, engine.cluster(tmp_path) as api:
        means = Means(metrics_through(api, case.namespace, within_seconds=5), log=None)
        timeline = case.swap("speech", limits=replace(LIMITS, drain_seconds=1), means=means)
    assert timeline.outcome == "went back"
    assert "vllm-inference idle: not within 1 s" in timeline.why
    assert Step.SCALE_DOWN not in [one.step for one in timeline.steps]
    assert case.is_at("chat")
    case.kubectl(
        "wait",
        "endpointslices",
        f"--selector=kubernetes.io/service-name={case.engine}",
        "--for=jsonpath={.endpoints[0].targetRef.kind}=Pod",
        "--timeout=30s",
    )


def test_an_engine_that_has_not_started_has_nothing_to_drain(
    case: SwapCase, tmp_path: Path
) -> None:
    case.forge.behave(case.engine, Outcome.CRASH_LOOP)
    case.kubectl(
        *("wait", f"deployment/{case.engine}", "--timeout=30s"),
        "--for=jsonpath={.status.unavailableReplicas}=1",
    )
    with engine_stand_in(metrics(1)) as engine, engine.cluster(tmp_path) as api:
        means = Means(metrics_through(api, case.namespace, within_seconds=5), log=None)
        timeline = case.swap("speech", means=means)
    assert timeline.outcome == "swapped", timeline.why
    assert case.is_at("speech")
