"""The gateway, beside the same LiteLLM on the config that a user would write from its pages."""

import asyncio
import math
from statistics import median

from rich.progress import Progress

from tools.bench.errors import BenchError
from tools.bench.figures import Row, Unit, duration
from tools.gateway.failover import (
    FIRST_TOKEN_SECONDS,
    HANG_SECONDS,
    FailoverError,
    Failovers,
    measure_failovers,
    number_of,
)
from tools.gateway.load import percentile
from tools.gateway.proxy import ProxyError
from tools.gateway.speed import DIRECT, DOCUMENTED, OURS, SILENT, Measured, Runs, measure

RATE_LIMITS = {OURS: 1.4, SILENT: 1.7}
ADDED_P95_LIMIT = 0.75
ADDED_MS_LIMITS = {50: 10.0, 95: 15.0}
SEEDS_ADDED_MS = 20.0
"""What the gateway may add to a request at its 95th percentile, by the deployment guide."""
_CLIENTS = (1, 8, 32)
_REQUESTS = 150
_FAILURES = 200
FIRST_REQUEST_MS = 100.0
BACK_SECONDS = 5.0
WATCH_SECONDS = 1.0
"""The engine's health is asked for in each period of so long."""


async def measure_gateway(runs: int, progress: Progress) -> list[Row]:
    """Ask four ports in turn: ours, ours without metrics, the documented config, the stub itself.

    Raises:
        BenchError: a proxy does not come up, or a request fails.
    """
    task = progress.add_task("gateway", total=len(_CLIENTS) * runs + number_of(_FAILURES))

    def advance() -> None:
        progress.advance(task)

    try:
        found = await asyncio.to_thread(measure, _CLIENTS, _REQUESTS, runs, advance)
        failovers = await asyncio.to_thread(measure_failovers, _FAILURES, advance)
    except (ProxyError, FailoverError, RuntimeError) as error:
        raise BenchError(str(error)) from None
    return [*rows(found), *failover_rows(failovers)]


def rows(found: Measured) -> list[Row]:
    """The lines of the table."""
    compared = [
        row for clients, by_name in found.runs.items() for row in _compared(clients, by_name)
    ]
    return [*compared, *_of_one_client(found), *_cores(found), *_at_rest(found)]


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"


def _compared(clients: int, by_name: dict[str, Runs]) -> list[Row]:
    other, direct = by_name[DOCUMENTED], by_name[DIRECT]
    title = f"gateway, {_clients(clients)}"
    rates = [
        _ratio(
            f"{title}: requests/s, {name} ÷ documented config",
            _rates(by_name[name], other),
            limit,
            at_least=True,
        )
        for name, limit in RATE_LIMITS.items()
    ]
    ours, documented = by_name[OURS].added_ms(direct, 95), other.added_ms(direct, 95)
    added = tuple(a / b for a, b in zip(ours, documented, strict=True))
    return [*rates, _ratio(f"{title}: added p95, ours ÷ documented config", added, ADDED_P95_LIMIT)]


def _rates(ours: Runs, other: Runs) -> tuple[float, ...]:
    pairs = zip(ours.loads, other.loads, strict=True)
    return tuple(a.per_second / b.per_second for a, b in pairs)


def _ratio(title: str, figures: tuple[float, ...], limit: float, *, at_least: bool = False) -> Row:
    return Row(title, (), (), figures, Unit.RATIO, limit, at_least=at_least)


def _of_one_client(found: Measured) -> list[Row]:
    of_one = found.runs[1]
    return [
        Row(
            f"gateway, 1 client: added p{percent}",
            (),
            (),
            of_one[OURS].added_ms(of_one[DIRECT], percent),
            Unit.MILLISECONDS,
            limit,
        )
        for percent, limit in ADDED_MS_LIMITS.items()
    ]


def _cores(found: Measured) -> list[Row]:
    """A replica is one process and computes one request after the other."""
    service_ms = median(found.runs[1][OURS].cpu_ms)
    return [
        Row(
            f"gateway, cores that add ≤ {SEEDS_ADDED_MS:g} ms for {_clients(clients)}",
            (),
            (),
            (float(math.ceil(clients * service_ms / SEEDS_ADDED_MS)),),
            Unit.CORES,
            None,
            note=f"computed, from {service_ms:.1f} ms of CPU a request",
        )
        for clients in found.runs
    ]


def _at_rest(found: Measured) -> list[Row]:
    ours, other = found.booted[OURS], found.booted[DOCUMENTED]
    return [
        Row(
            "gateway, from start to ready",
            (ours.ready_seconds,),
            (other.ready_seconds,),
            (ours.ready_seconds,),
            Unit.SECONDS,
            None,
        ),
        Row("gateway, resident memory", (), (), (ours.resident_mib,), Unit.MEBIBYTES, None),
    ]


def failover_rows(found: Failovers) -> list[Row]:
    """What the first request pays that meets a failed engine, and when the engine is back."""
    healthy = median(found.healthy)
    added = {how: [1000 * (one - healthy) for one in of] for how, of in found.first.items()}
    together = [one for of in added.values() for one in of]
    worst = Row(
        f"gateway, p99 of {len(together)} failovers: added",
        (),
        (),
        (percentile(together, 99),),
        Unit.MILLISECONDS,
        FIRST_REQUEST_MS,
    )
    first = [
        Row(
            f"gateway, first request to a failed engine ({how}): added",
            (),
            (),
            tuple(of),
            Unit.MILLISECONDS,
            FIRST_REQUEST_MS,
        )
        for how, of in added.items()
    ]
    hung = [
        duration(
            f"gateway, hanging engine: {what} beyond {deadline:g} s",
            [one - healthy - deadline for one in seconds],
            limit,
        )
        for what, deadline, seconds, limit in (
            ("a stream", FIRST_TOKEN_SECONDS, found.hung_streaming, FIRST_REQUEST_MS / 1000),
            ("a whole answer", HANG_SECONDS, found.hung_whole, WATCH_SECONDS),
        )
    ]
    back = duration(
        "gateway, from the engine's return to its first answer", found.back, BACK_SECONDS
    )
    return [*first, worst, *hung, back]
