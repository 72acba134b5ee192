"""Asks a gateway, and tells how long it took and what the answer was marked with."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tools.gateway.forge import CHAT, ENGINE_MODEL, FALLBACK_HEADER, KEY, QUESTION, Gateway
from tools.gateway.load import Answer, Connection

_POLL_SECONDS, _WAIT_SECONDS = 0.02, 60.0


@dataclass(frozen=True)
class Said:
    """One answer, and the time until its last byte."""

    answer: Answer
    seconds: float

    @property
    def status(self) -> int:
        """Of HTTP."""
        return self.answer.status

    @property
    def reason(self) -> str | None:
        """Why another model answered; None: it was the one asked for."""
        return self.answer.headers.get(FALLBACK_HEADER)

    @property
    def content(self) -> dict[str, object]:
        """The answer as JSON."""
        content = json.loads(self.answer.body)
        assert isinstance(content, dict)
        return content

    @property
    def events(self) -> list[str]:
        """The data of a stream's events."""
        lines = self.answer.body.decode().split("\n\n")
        assert all(line.startswith(("data: ", ":")) for line in lines if line), lines
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


@dataclass
class Caller:
    """Calls one gateway over a connection each."""

    gateway: Gateway
    key: str = KEY
    headers: Mapping[str, str] = field(default_factory=dict)

    def chat(self, model: str = ENGINE_MODEL, **options: object) -> Said:
        """Ask for a chat answer, and read all of it."""
        return self.post(CHAT, {**QUESTION, "model": model, **options})

    def post(self, path: str, body: object) -> Said:
        """Send JSON, and read all of the answer."""

        async def ask() -> Said:
            async with Connection(self.gateway.proxy.port, self.key) as connection:
                began = time.perf_counter()
                answer = await connection.post(path, body)
                return Said(answer, time.perf_counter() - began)

        return asyncio.run(ask())

    def wait_until(self, true: Callable[[], bool], what: str) -> float:
        """Ask again and again, and return after how many seconds it was so."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < _WAIT_SECONDS, f"not within a minute: {what}"
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began
