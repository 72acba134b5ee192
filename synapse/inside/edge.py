"""Around the whole of LiteLLM: who is let in, what is counted, and a second try elsewhere.

LiteLLM never sees a request without an accepted key, so no part of a refused key can get into its
logs or labels. A request that waits for an engine which turns out to be dead is sent again, to the
engine's stand-in, as long as nothing of an answer has left. So is one for a voice that is away.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from . import metrics
from .auth import has_key, refusal
from .engine_watch import engine_watch
from .fault import SERVER_ERROR, gives_up
from .passage import OTHER_NAME, PASSAGE, Passage
from .told import is_leaving

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_OPEN_PATHS = ("/health/readiness", "/health/liveliness", "/health/liveness")
_REASON_HEADER = b"x-synapse-fallback"
_ERROR_EVENT = b'data: {"error"'
_DONE_EVENT = b"data: [DONE]"
_CUT = {"message": "The model was cut off in its answer.", "type": "server_error", "code": 502}
_CUT_STATUS = "cut"
_CALLER_ERROR = 400


class Edge:
    """The ASGI application that LiteLLM's is wrapped in."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._has_settled = False
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let in, or refuse."""
        if scope["type"] == "http" and scope["path"] in _OPEN_PATHS:
            self._settle_once()
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await (self._serve if has_key(scope) else _refuse)(scope, receive, send)
        elif scope["type"] == "websocket":  # no route of ours is one
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    def _settle_once(self) -> None:
        """Make requests cheaper once the start is over, whose own errors are told at length."""
        if not self._has_settled:
            self._has_settled = True
            # All that the start has made stays: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            # LiteLLM formats a failed call's way through its code, and searches it for secrets: a
            # third of the time until another backend is asked. The error says as much.
            sys.tracebacklimit = 1

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        passage = Passage()
        PASSAGE.set(passage)
        answer = _Answer(send, passage)
        began = time.perf_counter()
        metrics.IN_FLIGHT.inc()
        try:
            if _is_json(scope):
                await self._try_twice(scope, await _whole_body(receive), receive, answer)
            else:
                await self._app(scope, receive, _Attempt(answer, passage, gives_way=False).send)
        finally:
            engine_watch().settled(passage)
            metrics.IN_FLIGHT.dec()
            answer.count(began)

    async def _try_twice(
        self, scope: Message, body: bytes, receive: Receive, answer: _Answer
    ) -> None:
        passage = answer.passage
        passage.has_second_try = True
        first = _Attempt(answer, passage, gives_way=True)
        running = self._start(scope, _replayed(body, receive), first)
        try:
            both: set[asyncio.Future[Any]] = {running, passage.interrupted}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if passage.interrupted.done():
                passage.avoid = passage.interrupted.result()
                running.cancel()
                engine_watch().settled(passage)
                second = _Attempt(answer, passage, gives_way=False)
                running = self._start(scope, _replayed(body, receive), second)
            await running
        except asyncio.CancelledError:
            running.cancel()
            raise
        except Exception:
            if not answer.is_stream:
                raise
            await answer.end_as_cut()

    def _start(self, scope: Message, receive: Receive, attempt: _Attempt) -> asyncio.Task[None]:
        async def run() -> None:
            await self._app(dict(scope), receive, attempt.send)

        running = asyncio.create_task(run())
        self._running.add(running)  # asyncio itself keeps no task alive
        running.add_done_callback(self._running.discard)
        return running


class _Attempt:
    """One run of LiteLLM for an answer. Its head waits for the first of its body.

    One that gives way says nothing more once its backend is given up: another one takes its place.
    """

    def __init__(self, answer: _Answer, passage: Passage, *, gives_way: bool) -> None:
        self._answer = answer
        self._passage = passage
        self._gives_way = gives_way
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        """Pass on one message of the answer."""
        if self._gives_way and self._passage.interrupted.done():
            return
        if message["type"] == "http.response.start":
            self._head = message
            return
        if self._head is not None:
            body, more = message.get("body", b""), message.get("more_body", False)
            if not body and more:
                return
            failed = body.startswith(_ERROR_EVENT)
            if gives_up(self._passage, SERVER_ERROR if failed else self._head["status"]):
                return
            head, self._head = self._head, None
            await self._answer.open(head)
        await self._answer.send(message)


class _Answer:
    """What leaves for the caller, and what is counted of it."""

    def __init__(self, send: Send, passage: Passage) -> None:
        self.passage = passage
        self._send = send
        self._status = SERVER_ERROR
        self._first_at: float | None = None
        self._is_whole = self._is_cut = False
        self.is_stream = False

    async def open(self, head: Message) -> None:
        """Send the head, with what is to be known of the way that the request took."""
        passage, headers = self.passage, list(head.get("headers", ()))
        if passage.reason is not None:
            headers.append((_REASON_HEADER, passage.reason.encode()))
        kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
        if is_leaving():
            headers.append((b"connection", b"close"))
        self._status, self.is_stream = head["status"], kind.startswith(b"text/event-stream")
        self._first_at = time.perf_counter()
        passage.has_second_try = False
        if passage.at_engine:
            engine_watch().settled(passage)
            engine_watch().sign_of_life()
        await self._send({**head, "headers": headers})

    async def send(self, message: Message) -> None:
        """Pass on one piece of the body; a stream without its end gets one."""
        if self.is_stream and message["type"] == "http.response.body":
            body = message.get("body", b"")
            self._is_whole = self._is_whole or _DONE_EVENT in body
            self._is_cut = self._is_cut or body.startswith(_ERROR_EVENT)
            if self._from_engine and not self._is_cut:
                engine_watch().sign_of_life()
            if not (self._is_whole or self._is_cut or message.get("more_body")):
                await self.end_as_cut()
                return
        await self._send(message)

    @property
    def _from_engine(self) -> bool:
        return self.passage.answered_by in engine_watch().groups

    async def end_as_cut(self) -> None:
        """End a stream with an event that says that it is not whole."""
        self._is_cut = True
        event = b"data: " + json.dumps({"error": _CUT}).encode() + b"\n\n"
        await self._send({"type": "http.response.body", "body": event, "more_body": False})

    def count(self, began: float) -> None:
        """Once, at its end."""
        passage, ended = self.passage, time.perf_counter()
        name, reason = passage.asked_for, passage.reason
        if self._is_cut and self._from_engine:
            engine_watch().request_failed()
        status = _CUT_STATUS if self._is_cut else str(self._status)
        failed = self._is_cut or self._status >= _CALLER_ERROR
        metrics.REQUESTS.labels(name, status).inc()
        metrics.SECONDS.labels(name).observe(ended - began)
        if failed:
            metrics.FAILED.labels(name, status).inc()
        if reason is not None and failed:
            metrics.FAILED_FALLBACKS.labels(name, passage.answered_by).inc()
        elif reason is not None:
            metrics.FALLBACKS.labels(name, passage.answered_by, reason).inc()
        if self.is_stream and self._first_at is not None:
            metrics.FIRST_TOKEN_SECONDS.labels(name).observe(self._first_at - began)


async def _refuse(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001  an App
    body = json.dumps({"error": refusal().to_dict()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    metrics.REQUESTS.labels(OTHER_NAME, "401").inc()


def _is_json(scope: Message) -> bool:
    kinds = (value for name, value in scope["headers"] if name == b"content-type")
    return scope["method"] == "POST" and next(kinds, b"").startswith(b"application/json")


async def _whole_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body again, and then whatever the connection tells."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
