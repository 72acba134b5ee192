"""A constant load on the real LiteLLM, whose backends do as the pods behind their Services.

The real Service and its endpoints decide whom the gateway reaches; what answers are stubs, since
simulated pods run nothing. Each does what its pod does: serves, has left its Service, is gone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from urllib.request import urlopen

from lightkube.core.client import Client
from lightkube.models.discovery_v1 import Endpoint, EndpointConditions
from lightkube.resources.core_v1 import Pod
from lightkube.resources.discovery_v1 import EndpointSlice

from synapse.cluster.errors import ClusterError
from synapse.names import TTS
from synapse.swap.limits import Limits
from synapse.swap.requests import ReadMetrics
from tests.forge.swap_case import SwapCase
from tests.gateway.caller import Caller
from tests.swap.engine_stand_in import metrics
from tools.gateway.forge import (
    CHAT,
    FALLBACK_HEADER,
    KEY,
    QUESTION,
    Gateway,
    running_gateway,
    with_gateway,
)
from tools.gateway.http_server import HttpServer, Reply, Request
from tools.gateway.load import Answer, Connection
from tools.gateway.stubs import Engine, Failure, Stub

ENGINE = "vllm-inference"
LOOK_SECONDS = 0.05
WORD_SECONDS, ANSWER_SECONDS = 0.2, 0.1
FIRST_TOKEN_SECONDS, HANG_SECONDS = 2, 3
METRICS_SECONDS = 5
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
            self.whole.append((seconds, answer.headers.get(FALLBACK_HEADER)))
        else:
            self.lost.append(f"{answer.status}: {answer.body[-300:]!r}")

    def count(self, *, elsewhere: bool) -> int:
        """Answers by the one that was asked, or by another one."""
        return sum((reason is not None) is elsewhere for _, reason in self.whole)


Ask = Callable[[Connection], Awaitable[Answer]]
ASKS: dict[str, Ask] = {
    "chat": lambda to: to.post(CHAT, QUESTION),
    "streaming": lambda to: to.post(CHAT, {**QUESTION, "stream": True}),
    "speech": lambda to: to.post(SPEECH, {"model": "tts-1", "voice": "onyx", "input": "Hello."}),
    "hearing": lambda to: to.send(HEARING, FORM, "multipart/form-data; boundary=form"),
}


@dataclass(frozen=True)
class Traffic:
    """A gateway whose backends follow the cluster.

    Attributes:
        cut: backends that were at work on a request when their last pod was gone.
        engine_metrics_url: what the engine's pod would tell of its requests.
    """

    gateway: Gateway
    cut: list[str]
    engine_metrics_url: str

    @property
    def caller(self) -> Caller:
        return Caller(self.gateway)

    def chats_elsewhere(self) -> str | None:
        """Why another model chats."""
        return self.caller.chat().reason

    def speaks_elsewhere(self) -> str | None:
        """Why another voice speaks."""
        asked = {"model": "tts-1", "voice": "onyx", "input": "Hello."}
        return self.caller.post(SPEECH, asked).reason

    @contextmanager
    def load(self) -> Iterator[dict[str, Seen]]:
        """A client for each kind of request, asking again as soon as it was answered.

        The engine is at work on a stream when the block begins.
        """
        seen = {kind: Seen() for kind in ASKS}
        over = threading.Event()

        async def ask(kind: str) -> None:
            async with Connection(self.gateway.proxy.port, KEY) as connection:
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
            streamed = seen["streaming"]
            self.caller.wait_until(lambda: streamed.count(elsewhere=False) > 0, "a load")
            yield seen
        finally:
            over.set()
            thread.join()


@contextmanager
def traffic_of(
    case: SwapCase, folder: Path, loading: Mapping[str, Failure] | None = None
) -> Iterator[Traffic]:
    """The gateway of the case's plan; a hanging engine is given up sooner than by default.

    A Service without a pod refuses; where `loading` says so, it leads to one that does not work
    yet.
    """
    plan = with_gateway(
        case.plan, first_token_seconds=FIRST_TOKEN_SECONDS, engine_hang_seconds=HANG_SECONDS
    )
    with ExitStack() as stack:
        gateway = stack.enter_context(running_gateway(plan, folder))
        for stub in (gateway.engine, gateway.ollama, gateway.coqui, gateway.speaches):
            stub.word_seconds, stub.answer_seconds = WORD_SECONDS, ANSWER_SECONDS
        pods: dict[str, Stub] = {ENGINE: gateway.engine, TTS: gateway.coqui}
        cut = stack.enter_context(_following(case, pods, loading or {}))
        url = stack.enter_context(_telling(gateway.engine))
        traffic = Traffic(gateway, cut, url)
        traffic.caller.wait_until(
            lambda: traffic.speaks_elsewhere() == "voice-failed", "nobody speaks but Kokoro"
        )
        yield traffic


def unhurried(limits: Limits) -> Limits:
    """With the time that an operator's swap gives a Service to learn that a pod has left it.

    The stubs learn it by polling, as a node's proxy does late.
    """
    return replace(limits, settle_seconds=Limits().settle_seconds)


def metrics_at(url: str) -> ReadMetrics:
    """The metrics of the engine's pod, whatever its name."""

    def read(_pod: str, _port: int) -> str:
        with urlopen(url, timeout=METRICS_SECONDS) as answer:  # noqa: S310  loopback
            return str(answer.read(), "utf-8")

    return read


@contextmanager
def _telling(engine: Engine) -> Iterator[str]:
    """Where the engine's requests are told; also while it has left its Service."""

    async def tell(_request: Request) -> Reply:
        return Reply(metrics(engine.running).text.encode(), content_type="text/plain")

    server = HttpServer(tell)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}/metrics"
    finally:
        server.stop()


@contextmanager
def _following(
    case: SwapCase, stubs: Mapping[str, Stub], loading: Mapping[str, Failure]
) -> Iterator[list[str]]:
    """Each stub does as the pods behind the Service of its name; yields whose requests were cut."""
    cut: list[str] = []
    over = threading.Event()

    def as_its_pod(app: str, stub: Stub, client: Client) -> None:
        served = client.list(
            EndpointSlice,
            namespace=case.namespace,
            labels={"kubernetes.io/service-name": app},
        )
        if any(_is_ready(endpoint) for one in served for endpoint in one.endpoints or []):
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
                    with suppress(ClusterError):  # without an API server endpoints stay
                        cluster.call("look at the pods", partial(as_its_pod, app, stub))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield cut
    finally:
        over.set()
        thread.join()


def _is_ready(endpoint: Endpoint) -> bool:
    return (endpoint.conditions or EndpointConditions()).ready is not False
