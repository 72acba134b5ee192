"""A Service, as far as a rollout needs one: each new connection goes to one of its endpoints."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

_CHUNK_BYTES = 1 << 16


class Balancer:
    """Listens on a port of loopback. What is connected already stays where it is.

    Attributes:
        endpoints: ports of loopback that take turns.
        port: chosen at the start, unless it was given.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.endpoints: list[int] = []
        self.port = port
        self._host = host
        self._turn = itertools.count()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Balancer:
        self._server = await asyncio.start_server(self._forward, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self.endpoints[next(self._turn) % len(self.endpoints)]
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, behind_writer), _pipe(behind_reader, writer))


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await source.read(_CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
    target.close()
