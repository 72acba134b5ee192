"""A closed loop of clients that cost little themselves: each sends, waits, and sends again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tools.gateway.http_server import read_chunks

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One keep-alive connection to a server on loopback; opened again where it was closed."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def post(self, path: str, body: object) -> Answer:
        """Send JSON, and read the whole of the answer.

        Raises:
            OSError, EOFError, TimeoutError: none came.
        """
        return await self.send(path, json.dumps(body).encode(), "application/json")

    async def send(self, path: str, content: bytes, content_type: str) -> Answer:
        """Send this, and read the whole of the answer.

        Raises:
            OSError, EOFError, TimeoutError: none came.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await self._exchange(path, content, content_type)
        except BaseException:
            self.close()
            raise

    async def _exchange(self, path: str, body: bytes, content_type: str) -> Answer:
        if self._reader is None or self._writer is None:
            opened = await asyncio.open_connection("127.0.0.1", self._port)
            self._reader, self._writer = opened
        self._writer.write(
            f"POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip()
        first, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if headers.get("transfer-encoding") == "chunked":
            content = b"".join([chunk async for chunk in read_chunks(self._reader)])
        else:
            content = await self._reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(first.split(" ")[1]), headers, content)


@dataclass
class Load:
    """What a closed loop saw.

    Attributes:
        seconds: wall clock time of the whole.
        latencies: seconds of each answered request, in the order in which they ended.
        failures: statuses other than 200, and errors of the connection, counted.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds within which this part of the requests was answered."""
        return percentile(self.latencies, percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is at least as large as this part of all of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100).__int__() - 1))]


async def closed_loop(
    port: int, key: str, path: str, body: object, *, clients: int, requests: int
) -> Load:
    """Send this many requests by this many clients, each as soon as its last was answered."""
    load = Load()
    left = requests

    async def client() -> None:
        nonlocal left
        async with Connection(port, key) as connection:
            while left > 0:
                left -= 1
                began = time.perf_counter()
                try:
                    answer = await connection.post(path, body)
                except (OSError, EOFError, TimeoutError) as error:
                    load.failures[type(error).__name__] += 1
                    continue
                if answer.status == 200:
                    load.latencies.append(time.perf_counter() - began)
                else:
                    load.failures[str(answer.status)] += 1

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    load.seconds = time.perf_counter() - began
    return load
