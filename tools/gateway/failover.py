"""What a failing engine costs a request, on the real proxy: failed and revived again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.gateway.forge import (
    CHAT,
    FALLBACK_HEADER,
    KEY,
    QUESTION,
    Gateway,
    forge_plan,
    running_gateway,
    with_gateway,
)
from tools.gateway.load import Answer, Connection
from tools.gateway.stubs import Failure

FIRST_TOKEN_SECONDS, HANG_SECONDS = 2, 3
"""Shorter than the forge's: what is measured is the time beyond them."""
REFUSED = "refused"
_AT_ONCE = (REFUSED, Failure.ERROR_500.value, Failure.ERROR_503.value)
_HANGS = 3
_POLL_SECONDS = 0.02


class FailoverError(Exception):
    """A request was lost, or was not answered by whom it should have been."""


@dataclass
class Failovers:
    """Seconds, one for each time that the engine failed.

    Attributes:
        healthy: requests that the engine answered.
        first: the first request after a failure, by how the engine failed.
        back: from the engine's return until it answered again.
        hung: a request to a hanging engine, streaming; and a whole answer.
    """

    healthy: list[float] = field(default_factory=list)
    first: dict[str, list[float]] = field(default_factory=dict)
    back: list[float] = field(default_factory=list)
    hung_streaming: list[float] = field(default_factory=list)
    hung_whole: list[float] = field(default_factory=list)


def measure_failovers(failures: int, advance: Callable[[], None]) -> Failovers:
    """Let the engine fail so many times in each way that shows at once, and a few times hang.

    Args:
        failures: of all ways that show at once together.
        advance: called after each failure.

    Raises:
        FailoverError: a request was lost.
        ProxyError: the proxy does not come up.
    """
    plan = with_gateway(
        forge_plan(), first_token_seconds=FIRST_TOKEN_SECONDS, engine_hang_seconds=HANG_SECONDS
    )
    with TemporaryDirectory() as folder, running_gateway(plan, Path(folder)) as gateway:
        return asyncio.run(_measure(gateway, failures, advance))


def number_of(failures: int) -> int:
    """How many times the engine fails in all, rounded as `measure_failovers` does."""
    return len(_AT_ONCE) * (failures // len(_AT_ONCE)) + 2 * _HANGS


async def _measure(gateway: Gateway, failures: int, advance: Callable[[], None]) -> Failovers:
    found = Failovers(first={how: [] for how in _AT_ONCE})
    async with Connection(gateway.proxy.port, KEY) as connection:
        await _until_back(connection)
        for _ in range(failures // len(_AT_ONCE)):
            for how in _AT_ONCE:
                found.healthy.append((await _ask(connection, elsewhere=False)).seconds)
                _fail(gateway, how)
                found.first[how].append((await _ask(connection, elsewhere=True)).seconds)
                gateway.engine.revive()
                found.back.append(await _until_back(connection))
                advance()
        for seconds, options in (
            (found.hung_streaming, {"stream": True}),
            (found.hung_whole, {}),
        ):
            for _ in range(_HANGS):
                _fail(gateway, Failure.HANG.value)
                seconds.append((await _ask(connection, elsewhere=True, **options)).seconds)
                gateway.engine.revive()
                found.back.append(await _until_back(connection))
                advance()
    return found


def _fail(gateway: Gateway, how: str) -> None:
    if how == REFUSED:
        gateway.engine.kill()
    else:
        gateway.engine.failure = Failure(how)


@dataclass(frozen=True)
class _Timed:
    answer: Answer
    seconds: float


async def _ask(connection: Connection, *, elsewhere: bool, **options: object) -> _Timed:
    timed = await _timed(connection, **options)
    if (FALLBACK_HEADER in timed.answer.headers) is not elsewhere:
        raise FailoverError(f"answered by the wrong one: {timed.answer.headers}")
    return timed


async def _timed(connection: Connection, **options: object) -> _Timed:
    began = time.perf_counter()
    answer = await connection.post(CHAT, {**QUESTION, **options})
    if answer.status != 200:
        raise FailoverError(f"a request was lost: {answer.status} {answer.body!r}")
    return _Timed(answer, time.perf_counter() - began)


async def _until_back(connection: Connection) -> float:
    began = time.perf_counter()
    while FALLBACK_HEADER in (await _timed(connection)).answer.headers:
        await asyncio.sleep(_POLL_SECONDS)
    return time.perf_counter() - began
