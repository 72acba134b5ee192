"""What tests believe of a backend's requests: whoever leaves is no longer counted."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator

import pytest

from tools.gateway.forge import CHAT, QUESTION
from tools.gateway.stubs import Engine

PATIENCE_SECONDS = 10


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What waits for the garbage collector, waits for ever."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_a_caller_who_leaves_in_mid_stream_leaves_no_request_behind() -> None:
    with Engine(models=(str(QUESTION["model"]),)) as engine:
        engine.word_seconds = 0.02
        asyncio.run(asyncio.wait_for(_leave_in_mid_stream(engine), PATIENCE_SECONDS))


async def _leave_in_mid_stream(engine: Engine) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    body = json.dumps({**QUESTION, "stream": True}).encode()
    writer.write(f"POST {CHAT} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await reader.readuntil(b"one ")
    assert engine.running == 1
    writer.transport.abort()
    while engine.running:
        await asyncio.sleep(engine.word_seconds)
