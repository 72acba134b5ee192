"""What tests believe of a backend's requests: whoever leaves is no longer counted."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from collections.abc import Callable, Iterator

import pytest

from tools.gateway.forge import CHAT, ENGINE_MODEL, QUESTION
from tools.gateway.stubs import Engine, Failure

PATIENCE_SECONDS = 10


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What waits for the garbage collector, waits for ever."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("failure", [Failure.NONE, Failure.HANG, Failure.SLOW_START])
@pytest.mark.parametrize("how", ["reset", "closed"])
def test_a_caller_who_leaves_in_mid_stream_leaves_no_request_behind(
    failure: Failure, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Engine(models=(ENGINE_MODEL,)) as engine:
        engine.word_seconds, engine.failure = 0.02, failure
        asyncio.run(asyncio.wait_for(_leave_in_mid_stream(engine, how), PATIENCE_SECONDS))
    assert not caplog.records


def test_a_server_that_stops_says_nothing_of_its_callers(caplog: pytest.LogCaptureFixture) -> None:
    with Engine(models=(ENGINE_MODEL,)) as engine:
        caller = socket.create_connection(("127.0.0.1", engine.port))
        caller.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert caller.recv(1)
    caller.close()
    assert not caplog.records


async def _leave_in_mid_stream(engine: Engine, how: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    body = json.dumps({**QUESTION, "stream": True}).encode()
    writer.write(f"POST {CHAT} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    if engine.failure is Failure.NONE:
        await reader.readuntil(b"one ")
    await _until(lambda: engine.running == 1)
    if how == "reset":
        writer.transport.abort()
    else:
        writer.close()
    await _until(lambda: engine.running == 0)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)
