"""Whether the engine may be asked: by what requests met, and by its own health check."""

from __future__ import annotations

import asyncio
import time
from functools import cache

import aiohttp

from .metrics import ENGINE_STATE
from .passage import Passage, Reason
from .told import Told, told

CHECK_PERIOD_SECONDS = 1.0
_LONGEST_HOLD_SECONDS = 4.0
_HEALTHY, _OUT = 0, 2  # as in LiteLLM's own metric of this name


class EngineWatch:
    """Up until a request or a check fails; up again when a check passes.

    A check that passes while requests fail would send one request after the other into the same
    fault. So each failed request in a row doubles the time for which the checks are not believed.

    A busy engine may answer its health check late. It hangs only if it has not answered one in
    `hang_seconds`, and no request either.
    """

    def __init__(self, wanted: Told) -> None:
        self._url = f"http://{wanted.engine_host}:{wanted.engine_port}/health"
        self._hang_seconds = wanted.engine_hang_seconds
        self.groups = frozenset(wanted.engine_fallbacks)
        self._at_engine: set[Passage] = set()
        self._last_sign = self._believed_from = self._hold_seconds = 0.0
        self.up = True

    def sent(self, passage: Passage) -> None:
        """A request goes to the engine."""
        passage.at_engine = True
        self._at_engine.add(passage)

    def settled(self, passage: Passage) -> None:
        """The engine has begun to answer a request, or is not asked any longer."""
        passage.at_engine = False
        self._at_engine.discard(passage)

    def sign_of_life(self) -> None:
        """The engine sent something."""
        self._last_sign = time.monotonic()
        self._hold_seconds = 0.0

    def request_failed(self) -> None:
        """The engine answered a request with an error of its own, or not at all.

        What else it is at work on may yet be answered, and is left there.
        """
        if self.up:
            longer = max(CHECK_PERIOD_SECONDS, 2 * self._hold_seconds)
            self._hold_seconds = min(_LONGEST_HOLD_SECONDS, longer)
            self._believed_from = time.monotonic() + self._hold_seconds
        self._set(up=False)

    async def check_forever(self) -> None:
        """Ask for the engine's health, once in each period."""
        # A connection each: one that stays open goes on after the engine has left its Service.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                began = time.monotonic()
                await self._check(session, began)
                await asyncio.sleep(max(0.0, began + CHECK_PERIOD_SECONDS - time.monotonic()))

    async def _check(self, session: aiohttp.ClientSession, began: float) -> None:
        try:
            async with asyncio.timeout(self._hang_seconds), session.get(self._url) as answer:
                healthy = answer.status == 200
        except TimeoutError:
            healthy = self.up and self._last_sign > began
        except (aiohttp.ClientError, OSError):
            healthy = False
        if not healthy:
            self._set(up=False)
            for passage in tuple(self._at_engine):
                passage.interrupt(Reason.ENGINE_DOWN)
        elif began >= self._believed_from:
            self._set(up=True)

    def _set(self, *, up: bool) -> None:
        self.up = up
        for group in self.groups:
            ENGINE_STATE.labels(group).set(_HEALTHY if up else _OUT)


@cache
def engine_watch() -> EngineWatch:
    """The one of this process."""
    return EngineWatch(told())
