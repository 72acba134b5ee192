"""A swap under load, on the real LiteLLM: no request is lost, and streams that began end whole.

The real Service and its endpoints decide whom the gateway reaches; what answers are stubs, since
simulated pods run nothing. Each does what its pod does: serves, has left its Service, is gone.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter

import pytest
from lightkube.core.client import Client
from lightkube.resources.core_v1 import Pod
from lightkube.resources.discovery_v1 import EndpointSlice

from synapse.names import TTS
from synapse.swap.run import Means
from synapse.swap.timeline import Timeline
from tests.forge.swap_case import SwapCase
from tests.gateway.caller import CHAT, ENGINE_MODEL, MESSAGES, Caller
from tests.swap.engine_stand_in import metrics
from tools.gateway.forge import KEY, Gateway, running_gateway, with_gateway
from tools.gateway.load import Answer, Connection, percentile
from tools.gateway.stubs import Failure, Stub

_LOG = logging.getLogger(__name__)
ENGINE = "vllm-inference"
LOOK_SECONDS = 0.05
WORD_SECONDS, ANSWER_SECONDS = 0.2, 0.1
FIRST_TOKEN_SECONDS, HANG_SECONDS = 2, 3
FALLBACK = "x-synapse-fallback"
SPEECH, HEARING = "/v1/audio/speech", "/v1/audio/transcriptions"
FORM = b"\r\n".join(
    [
        b"--form",
        b'Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1',
        b"--form",
        b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF',
        b"--form--",
        b"",
    ]
)


@dataclass
class Seen:
    """The answers of one kind of request, in the order of their ends."""

    whole: list[tuple[float, str | None]] = field(default_factory=list)
    """Seconds of each, and why another model answered."""
    lost: list[str] = field(default_factory=list)

    def note(self, seconds: float, answer: Answer) -> None:
        stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        whole = answer.body.endswith(b"data: [DONE]\n\n") and b'data: {"error"' not in answer.body
        if answer.status == 200 and (whole or not stream):
            self.whole.append((seconds, answer.headers.get(FALLBACK)))
        else:
            self.lost.append(f"{answer.status}: {answer.body[-300:]!r}")

    def count(self, *, elsewhere: bool) -> int:
        """Answers by the one that was asked, or by another one."""
        return sum((reason is not None) is elsewhere for _, reason in self.whole)


Ask = Callable[[Connection], Awaitable[Answer]]
ASKS: dict[str, Ask] = {
    "chat": lambda to: to.post(CHAT, {"model": ENGINE_MODEL, "messages": MESSAGES}),
    "streaming": lambda to: to.post(
        CHAT, {"model": ENGINE_MODEL, "messages": MESSAGES, "stream": True}
    ),
    "speech": lambda to: to.post(SPEECH, {"model": "tts-1", "voice": "onyx", "input": "Hello."}),
    "hearing": lambda to: to.send(HEARING, FORM, "multipart/form-data; boundary=form"),
}


@contextmanager
def load(port: int) -> Iterator[dict[str, Seen]]:
    """A client for each kind of request, asking again as soon as it was answered."""
    seen = {kind: Seen() for kind in ASKS}
    over = threading.Event()

    async def ask(kind: str) -> None:
        async with Connection(port, KEY) as connection:
            while not over.is_set():
                began = perf_counter()
                try:
                    answer = await ASKS[kind](connection)
                except (OSError, EOFError, TimeoutError) as error:
                    seen[kind].lost.append(repr(error))
                else:
                    seen[kind].note(perf_counter() - began, answer)

    async def all_kinds() -> None:
        await asyncio.gather(*(ask(kind) for kind in ASKS))

    thread = threading.Thread(target=lambda: asyncio.run(all_kinds()))
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@contextmanager
def following(
    case: SwapCase, stubs: Mapping[str, Stub], loading: Mapping[str, Failure]
) -> Iterator[list[str]]:
    """Each stub does as the pods behind the Service of its name; yields whose requests were cut.

    A Service without a pod refuses; where `loading` says so, it leads to one that does not work
    yet.
    """
    cut: list[str] = []
    over = threading.Event()

    def as_its_pod(app: str, stub: Stub, client: Client) -> None:
        served = client.list(
            EndpointSlice,
            namespace=case.namespace,
            labels={"kubernetes.io/service-name": app},
        )
        if any(one.endpoints for one in served):
            stub.revive()
        elif list(client.list(Pod, namespace=case.namespace, labels={"app": app})):
            stub.withdraw()
        elif stub.failure is Failure.NONE:
            if stub.running:
                cut.append(app)
            stub.kill()
            if app in loading:
                stub.revive()
                stub.failure = loading[app]

    def follow() -> None:
        with case.cluster() as cluster:
            while not over.wait(LOOK_SECONDS):
                for app, stub in stubs.items():
                    cluster.call("look at the pods", partial(as_its_pod, app, stub))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield cut
    finally:
        over.set()
        thread.join()


@contextmanager
def gateway_of(case: SwapCase, folder: Path) -> Iterator[Gateway]:
    """The gateway of the case's plan; a hanging engine is given up sooner than by default."""
    plan = with_gateway(
        case.plan, first_token_seconds=FIRST_TOKEN_SECONDS, engine_hang_seconds=HANG_SECONDS
    )
    with running_gateway(plan, folder) as gateway:
        for stub in (gateway.engine, gateway.ollama, gateway.coqui, gateway.speaches):
            stub.word_seconds, stub.answer_seconds = WORD_SECONDS, ANSWER_SECONDS
        yield gateway


@pytest.mark.parametrize(
    "loading",
    [
        pytest.param({}, id="refused while loading"),
        pytest.param({ENGINE: Failure.ERROR_503, TTS: Failure.ERROR_503}, id="503 while loading"),
        pytest.param({ENGINE: Failure.HANG}, id="the engine hangs while loading"),
    ],
)
def test_no_request_is_lost_by_a_swap(
    case: SwapCase, tmp_path: Path, loading: dict[str, Failure]
) -> None:
    with gateway_of(case, tmp_path) as gateway:
        engine, coqui = gateway.engine, gateway.coqui
        caller = Caller(gateway)
        means = Means(lambda _pod, _port: metrics(engine.running).text, log=None)
        pods = {ENGINE: engine, TTS: coqui}

        def swap(target: str) -> Timeline:
            timeline = case.swap(target, means=means)
            assert timeline.outcome == "swapped", timeline.why
            return timeline

        with following(case, pods, loading) as cut:
            caller.wait_until(lambda: say(caller) == "voice-failed", "nobody speaks but Kokoro")
            with load(gateway.proxy.port) as seen:
                caller.wait_until(lambda: seen["streaming"].count(elsewhere=False) > 0, "a load")
                swap("speech")
                caller.wait_until(lambda: say(caller) is None, "XTTS speaks")
                caller.wait_until(lambda: seen["chat"].count(elsewhere=True) > 0, "the CPU chats")
                swap("chat")
                caller.wait_until(lambda: caller.chat().reason is None, "the engine chats")
    assert {kind: one.lost for kind, one in seen.items()} == {kind: [] for kind in ASKS}
    assert ENGINE not in cut, "it had requests at its end"
    for kind in ("chat", "streaming", "speech"):
        assert seen[kind].count(elsewhere=False), f"{kind}: never by the one that was asked"
        assert seen[kind].count(elsewhere=True), f"{kind}: never by the CPU"
    report(seen)


def say(caller: Caller) -> str | None:
    """Why another voice spoke."""
    return caller.post(SPEECH, {"model": "tts-1", "voice": "onyx", "input": "Hello."}).reason


def report(seen: Mapping[str, Seen]) -> None:
    """How long the answers of the CPU took, in the test's log."""
    for kind, one in seen.items():
        on_cpu = [seconds for seconds, reason in one.whole if reason is not None]
        if on_cpu:
            p95_ms = 1000 * percentile(on_cpu, 95)
            _LOG.info(
                "%s: %d answers, %d by the CPU, their p95 %.0f ms",
                *(kind, len(one.whole), len(on_cpu), p95_ms),
            )
