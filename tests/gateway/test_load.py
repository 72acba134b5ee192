"""A steady load while the engine dies and comes back: no request is lost, and memory stays."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import harmonic_mean

import psutil
import pytest

from synapse.settings.settings import Settings
from tests.gateway.conftest import plan_with
from tools.gateway.forge import CHAT, FALLBACK_HEADER, KEY, QUESTION, Gateway, running_gateway
from tools.gateway.load import Answer, Connection, closed_loop

PART_OF_CAPACITY = 0.8
CAPACITY_CLIENTS, CAPACITY_REQUESTS = 8, 200
MEMORY_GROWTH = 1.1
WARM_SECONDS = 120
WORD_SECONDS = 0.05
ANSWER_SECONDS = 0.5
"""Longer than the words of a stream take: a client is done when its next request is due."""


@dataclass(frozen=True)
class Course:
    """How long the load lasts, and how long the engine lives, and is dead, in turn."""

    seconds: float
    turn_seconds: float


SHORT, LONG = Course(24, 4), Course(600, 30)


@dataclass
class Told:
    """What became of the requests, and of the proxy's memory."""

    answered: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    cut: int = 0
    warm_bytes: int = 0
    last_bytes: int = 0

    def note(self, answer: Answer, *, streaming: bool) -> None:
        """A stream that the engine had begun ends with an error event, and counts apart."""
        reason = answer.headers.get(FALLBACK_HEADER, "the engine")
        if answer.status != 200 or (streaming and not answer.body.endswith(b"\n\n")):
            self.lost.append(f"{answer.status}: {answer.body[-200:]!r}")
        elif not streaming or answer.body.endswith(b"data: [DONE]\n\n"):
            self.answered[reason] += 1
        elif b'data: {"error"' in answer.body and reason == "the engine":
            self.cut += 1
        else:
            self.lost.append(f"cut, by {reason}: {answer.body[-200:]!r}")


@pytest.mark.parametrize(
    "course",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(LONG, id="ten minutes", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
def test_an_engine_that_dies_again_and_again_costs_no_request(
    forge_settings: Settings, tmp_path: Path, course: Course
) -> None:
    with running_gateway(plan_with(forge_settings), tmp_path) as gateway:
        told = asyncio.run(_last(gateway, course))
    assert told.lost == []
    assert told.answered["the engine"]
    assert told.answered["engine-down"]
    if course.seconds > WARM_SECONDS:
        assert told.last_bytes / told.warm_bytes <= MEMORY_GROWTH


async def _capacity(port: int) -> float:
    """Requests in a second, if every second one is for a stream."""
    loads = [
        await closed_loop(
            port,
            KEY,
            CHAT,
            {**QUESTION, "stream": streaming},
            clients=CAPACITY_CLIENTS,
            requests=CAPACITY_REQUESTS,
        )
        for streaming in (False, True)
    ]
    return harmonic_mean([load.per_second for load in loads])


async def _last(gateway: Gateway, course: Course) -> Told:
    port, process = gateway.proxy.port, psutil.Process(gateway.proxy.pid)
    per_second = PART_OF_CAPACITY * await _capacity(port)
    clients = math.ceil(per_second * ANSWER_SECONDS)
    gateway.engine.word_seconds = WORD_SECONDS
    told, clock = Told(), asyncio.get_running_loop()
    end = clock.time() + course.seconds

    async def client(number: int) -> None:
        async with Connection(port, KEY) as connection:
            due = clock.time() + number / per_second
            while clock.time() < end:
                await asyncio.sleep(max(0.0, due - clock.time()))
                due += clients / per_second
                streaming = number % 2 == 0
                try:
                    answer = await connection.post(CHAT, {**QUESTION, "stream": streaming})
                except (OSError, EOFError, TimeoutError) as error:
                    told.lost.append(repr(error))
                else:
                    told.note(answer, streaming=streaming)

    async def fate() -> None:
        while clock.time() < end:
            await asyncio.sleep(course.turn_seconds)
            gateway.engine.kill()
            await asyncio.sleep(course.turn_seconds)
            gateway.engine.revive()

    async def memory() -> None:
        await asyncio.sleep(min(WARM_SECONDS, course.seconds))
        told.warm_bytes = process.memory_info().rss

    fates = asyncio.gather(fate(), memory())
    await asyncio.gather(*(client(number) for number in range(clients)))
    fates.cancel()
    await asyncio.gather(fates, return_exceptions=True)
    told.last_bytes = process.memory_info().rss
    return told
