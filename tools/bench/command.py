"""The whole bench, from the toolchain to the page."""

import asyncio
import signal
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tools.bench import gateways, plans, policy_cost, previews, ups
from tools.bench.case import PROGRAMS, BenchCase
from tools.bench.machine import Machine, pace_seconds
from tools.bench.report import Report, print_table, write
from tools.toolchain import Toolchain, ensure, resolve


def bench(runs: int, directory: Path, console: Console) -> bool:
    """Measure, print the table, and keep the page and the raw figures.

    Args:
        runs: of each kind.
        directory: receives `bench.md` and `bench.json`.
        console: shows progress and the table.

    Returns:
        Whether every bound is held.

    Raises:
        BenchError: a run did not do what it was to be timed at.
    """
    toolchain = ensure(PROGRAMS, console)
    machine = Machine.this(resolve(PROGRAMS, console))
    report = asyncio.run(_measure(runs, toolchain, machine, console))
    print_table(console, report)
    write(directory, report)
    return report.held


async def _measure(runs: int, toolchain: Toolchain, machine: Machine, console: Console) -> Report:
    """Ctrl-C and a termination end what is running, and remove what it wrote."""
    task = asyncio.current_task()
    if task:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    date = datetime.now(UTC).isoformat(timespec="minutes")
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="synapse-bench-") as folder,
        Progress(*columns, console=console) as progress,
    ):
        case = BenchCase(Path(folder), toolchain)
        objects = await ups.learn_objects(case, progress)
        pace = [pace_seconds()]
        rows = await previews.measure(case, objects, runs, progress)
        pace.append(pace_seconds())
        rows += await policy_cost.measure(case, objects, runs, progress)
        rows += await plans.measure(runs, progress)
        pace.append(pace_seconds())
        deployed, awaited = await ups.measure(case, objects, runs, progress)
        pace.append(pace_seconds())
        rows += [*deployed, *await gateways.measure_gateway(runs, progress)]
        pace.append(pace_seconds())
    return Report(date, runs, machine, pace, rows, awaited)
