"""`make plan`: the ledger, with pip's packages alone."""

import os
import sys

from rich.progress import Progress

from tools.bench.figures import Row, Unit, duration
from tools.bench.processes import Finished, run
from tools.sim_stack import REPOSITORY

LIMIT_SECONDS = 0.6
_PLAN = ("-m", "synapse", "plan", "--config", "Pulumi.forge.yaml")
_FITS_OR_NOT = (0, 1)


async def measure(runs: int, progress: Progress) -> list[Row]:
    """Run the command that `make plan` runs, warm, and look at what it imports.

    Raises:
        BenchError: it fails.
    """
    task = progress.add_task("plans", total=runs + 1)
    imported = pulumi_modules((await _plan("-X", "importtime")).err)
    progress.advance(task)
    seconds = []
    for _ in range(runs):
        seconds.append((await _plan()).seconds)
        progress.advance(task)
    return [
        duration("make plan, warm", seconds, LIMIT_SECONDS),
        Row("make plan imports of pulumi", (), (), (float(len(imported)),), Unit.MODULES, 0.0),
    ]


async def _plan(*options: str) -> Finished:
    return await run(
        [sys.executable, *options, *_PLAN], cwd=REPOSITORY, env=os.environ, allowed=_FITS_OR_NOT
    )


def pulumi_modules(import_times: str) -> list[str]:
    """Names of Pulumi's modules in what `python -X importtime` wrote."""
    modules = (line.rpartition("|")[2].strip() for line in import_times.splitlines())
    return [name for name in modules if name.partition(".")[0].startswith("pulumi")]
