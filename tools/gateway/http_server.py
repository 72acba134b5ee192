"""A small HTTP server that can be killed and revived on its port: what a backend's pod does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from typing_extensions import override

_LONGEST_HEAD_BYTES = 1 << 16
_START_SECONDS = 10.0

Result = TypeVar("Result")


class CutConnectionError(Exception):
    """Raised by a handler, or by a body on its way: the connection ends as a killed process's."""


@dataclass(frozen=True)
class Request:
    """What a caller sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What a backend answers; a generator is sent in chunks as it comes, and ended in any case."""

    body: bytes | AsyncGenerator[bytes, None]
    status: int = HTTPStatus.OK
    content_type: str = "application/json"


Handler = Callable[[Request], Awaitable[Reply]]
_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class HttpServer:
    """One backend on a port of loopback, with a thread and an event loop of its own.

    Attributes:
        handler: answers each request.
        port: chosen at the first start, and the same at every revival.
    """

    handler: Handler
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Run the loop, and listen."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.revive()

    def stop(self) -> None:
        """Stop listening, drop every connection, end the thread."""
        self.kill()
        self._run(self._cancel_what_runs())
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join(_START_SECONDS)
        self._loop.close()

    def kill(self) -> None:
        """Refuse connections, and cut those that are open."""
        self._run(self._shut())

    def withdraw(self) -> None:
        """Refuse connections, and serve those that are open: what leaving a Service does."""
        self._run(self._refuse())

    def revive(self) -> None:
        """Listen again on the same port."""
        self._run(self._listen())

    def _run(self, work: Coroutine[object, object, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await self._loop.create_server(
                lambda: _Caller(self._serve), "127.0.0.1", self.port
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _shut(self) -> None:
        await self._refuse()
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _cancel_what_runs(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                await _write(writer, await self.handler(request))
        except (ConnectionError, asyncio.IncompleteReadError, CutConnectionError):
            pass  # one of the two left
        except asyncio.CancelledError:
            pass  # by `_Caller`, or as the server stops
        finally:
            self._open.discard(writer)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):  # `_Caller` cancels once more
                await writer.wait_closed()


class _Caller(asyncio.StreamReaderProtocol):
    """Ends the work on a request once its caller has left, as a model server does."""

    def __init__(self, serve: _Serve) -> None:
        super().__init__(asyncio.StreamReader(limit=_LONGEST_HEAD_BYTES), self._run)
        self._serve = serve
        self._serving: asyncio.Task[object] | None = None

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving = asyncio.current_task()
        await self._serve(reader, writer)

    @override
    def eof_received(self) -> bool | None:
        self._leave()
        return super().eof_received()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        if self._serving is not None:
            self._serving.cancel()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join([chunk async for chunk in read_chunks(reader)])
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path.partition("?")[0], headers, body)


async def read_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The chunks of a body with `Transfer-Encoding: chunked`, to its end."""
    while True:
        size = int((await reader.readline()).strip(), 16)
        chunk = await reader.readexactly(size)
        await reader.readexactly(2)
        if not size:
            return
        yield chunk


async def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    status = HTTPStatus(reply.status)
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {reply.content_type}\r\n"
    if isinstance(reply.body, bytes):
        writer.write(f"{head}Content-Length: {len(reply.body)}\r\n\r\n".encode() + reply.body)
        await writer.drain()
        return
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    # A caller who left is an error whose traceback keeps the generator until the next collection.
    async with aclosing(reply.body) as chunks:
        async for chunk in chunks:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
