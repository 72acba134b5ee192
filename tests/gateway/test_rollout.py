"""A replica is replaced under load, as a rollout does it: no request is lost, streams end whole."""

import asyncio
from pathlib import Path

from synapse.components.gateway import leave
from synapse.settings.settings import Settings
from tests.gateway.conftest import plan_with
from tools.gateway.balancer import Balancer
from tools.gateway.forge import CHAT, KEY, QUESTION, proxy_of, stubs_of
from tools.gateway.load import Connection
from tools.gateway.proxy import Proxy

CLIENTS, STREAMS = 4, 2
LEAVE_SECONDS = 3
"""What the kubelet lets pass between the announcement and SIGTERM."""
ROUND = 5 * (CLIENTS + STREAMS)


def test_a_replaced_replica_loses_no_request(forge_settings: Settings, tmp_path: Path) -> None:
    plan = plan_with(forge_settings)
    engine, ollama = stubs_of(plan)
    with engine, ollama:
        engine.word_seconds = 0.5
        proxies = []
        for name in ("old", "new"):
            (tmp_path / name).mkdir()
            proxies.append(proxy_of(plan, engine, ollama, tmp_path / name)[0])
        old, new = proxies
        with old:
            try:
                answered, streamed = asyncio.run(_replace(old, new))
            finally:
                new.kill()
    assert answered > 0
    assert streamed > STREAMS


async def _replace(old: Proxy, new: Proxy) -> tuple[int, int]:
    """Replace one by the other under load; returns how many requests and streams were whole."""
    over, whole = asyncio.Event(), _Whole()
    async with Balancer() as service:
        service.endpoints = [old.port]
        clients = [asyncio.create_task(_ask(service.port, over, whole, {})) for _ in range(CLIENTS)]
        streams = [
            asyncio.create_task(_ask(service.port, over, whole, {"stream": True}))
            for _ in range(STREAMS)
        ]
        new.launch()
        await asyncio.to_thread(new.wait_until_ready)
        service.endpoints = [old.port, new.port]
        await whole.so_many_more(ROUND)
        # As the kubelet and the endpoints' controller do, at the same time.
        service.endpoints = [new.port]
        old.announce_leave()
        await asyncio.sleep(LEAVE_SECONDS)
        old.terminate()
        await asyncio.to_thread(old.wait_until_gone)
        await whole.so_many_more(ROUND)
        over.set()
        return sum(await asyncio.gather(*clients)), sum(await asyncio.gather(*streams))


class _Whole:
    """Counts whole answers, and lets others wait for more of them."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Condition()

    async def add(self) -> None:
        async with self._changed:
            self._count += 1
            self._changed.notify_all()

    async def so_many_more(self, number: int) -> None:
        async with self._changed:
            wanted = self._count + number
            await self._changed.wait_for(lambda: self._count >= wanted)


async def _ask(port: int, over: asyncio.Event, whole: _Whole, options: dict[str, object]) -> int:
    """Ask again and again; any failed answer ends the test."""
    count = 0
    body = {**QUESTION, **options}
    async with Connection(port, KEY) as connection:
        while not over.is_set():
            answer = await connection.post(CHAT, body)
            assert answer.status == 200, answer.body
            assert not options or answer.body.endswith(b"data: [DONE]\n\n"), answer.body
            count += 1
            await whole.add()
    return count


def test_what_is_told_before_the_end_is_what_the_edge_looks_for() -> None:
    *_, script = leave(5)
    assert "/tmp/leaving" in script  # noqa: S108  the container's
    assert "time.sleep(5)" in script
