"""The bench's table on the terminal, its page, and its raw figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tools.bench.figures import Awaited, Row, Unit, medians_by_object
from tools.bench.machine import Machine

PAGE = "bench.md"
RAW = "bench.json"
_SLOWEST_SHOWN = 6
_HEADINGS = ("measured", "ours", "beside it", "median", "spread", "bound", "")

_SIGNS = {False: "≤", True: "≥"}
_WHOLE = (Unit.CORES, Unit.MEBIBYTES)

_HOW = """\
Runs alternate (ours, the other, ours, …); a ratio or a difference is taken pair by pair, and its
median is held against the bound. A run of each comes first and is not counted; Python keeps what
it has compiled then, as it does unless it is told not to.

- **Bare program**: [`tools/bench/programs/bare.py`](../tools/bench/programs/bare.py) registers the
  same objects with the same provider as plain dicts, read from the deployed stack: no components,
  no plan, no check. Both are previewed with an empty state.
- **With the policy pack less without**: bare programs that hold the deployed stack several times,
  each in a namespace of its own; the bound is 1.5 s and 10 ms a resource.
- **`pulumi up`** is the whole command as a user runs it, its preview included, from an empty state
  onto a fresh cluster. Beside it stands `kubectl apply` of the same manifests onto a fresh
  cluster (the namespace, then the rest), until Deployments are available and Jobs complete.
- **Awaiter**: from the moment at which a watch of the API server shows an object ready to the end
  of Pulumi's step for it. Pods are simulated and ready at once, so this is what the waiting adds,
  not what a model takes to load.
- **Gateway**: the pinned LiteLLM in four turns: on our config, on ours without metrics, on one as
  its own quick start has it with its metrics callback, and the stub behind them without a proxy.
  Clients ask as soon as they were answered; the stub takes no time. They, the stub and the proxy
  share this machine's cores."""


@dataclass(frozen=True)
class Report:
    """All that one bench found.

    Attributes:
        date: ISO 8601, UTC.
        runs: of each kind.
        pace_seconds: of the same computation before, between and after the parts.
        awaited: of each `pulumi up`, by `Kind name`.
    """

    date: str
    runs: int
    machine: Machine
    pace_seconds: Sequence[float]
    rows: Sequence[Row]
    awaited: Sequence[Mapping[str, Awaited]]

    @property
    def held(self) -> bool:
        """Whether every bound is held."""
        return all(row.held for row in self.rows)


def print_table(console: Console, report: Report) -> None:
    """The table for people at a terminal."""
    table = Table(*_HEADINGS, box=None, pad_edge=False)
    for row in report.rows:
        *cells, verdict = row_cells(row)
        table.add_row(*cells, verdict if row.held else f"[red]{verdict}[/]")
    console.print(table)
    console.print(report.machine.described(), highlight=False, soft_wrap=True)
    console.print(_pace(report), highlight=False, soft_wrap=True)


def write(directory: Path, report: Report) -> None:
    """Keep the page and the raw figures."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PAGE).write_text(page(report), encoding="utf-8")
    raw = json.dumps(asdict(report), indent=2, ensure_ascii=False)
    (directory / RAW).write_text(raw + "\n", encoding="utf-8")


def page(report: Report) -> str:
    """The page in Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in report.machine.versions.items())
    slowest = medians_by_object(report.awaited)[:_SLOWEST_SHOWN]
    return "\n".join(
        [
            "# Speed",
            "",
            f"Written by `make bench` on {report.date}, {report.runs} runs of each kind; the raw "
            f"figures are in [{RAW}]({RAW}).",
            "",
            f"Machine: {report.machine.described()}.",
            "",
            f"Its pace: {_pace(report)}.",
            "",
            f"Versions: {versions}.",
            "",
            *_markdown(_HEADINGS, [row_cells(row) for row in report.rows]),
            "",
            _HOW,
            "",
            "The awaiters that end last, medians over the runs:",
            "",
            *_markdown(
                ("object", "Pulumi's step", "beyond its readiness"),
                [
                    (item.name, _seconds(item.own_seconds), _seconds(item.beyond_seconds))
                    for item in slowest
                ],
            ),
            "",
        ]
    )


def _pace(report: Report) -> str:
    """Where others share the machine, it is not always the same."""
    paces = ", ".join(f"{seconds:.2f}" for seconds in report.pace_seconds)
    return f"the same computation took {paces} s before, between and after the parts"


def row_cells(row: Row) -> tuple[str, ...]:
    """One line of the table, under `_HEADINGS`."""
    low, high = row.spread
    title = f"{row.title}: {row.note}" if row.note else row.title
    return (
        title,
        _seconds(median(row.ours_seconds)) if row.ours_seconds else "",
        _seconds(median(row.against_seconds)) if row.against_seconds else "",
        _figure(row.figure, row.unit),
        f"{_figure(low, row.unit)} to {_figure(high, row.unit)}" if len(row.figures) > 1 else "",
        "" if row.limit is None else f"{_SIGNS[row.at_least]} {_figure(row.limit, row.unit)}",
        "" if row.limit is None else "held" if row.held else "not held",
    )


def _figure(value: float, unit: Unit) -> str:
    if unit is Unit.MODULES:
        return f"{value:.0f}"
    if unit in _WHOLE:
        return f"{value:.0f} {unit.value}"
    return f"{value:.2f} {unit.value}"


def _seconds(value: float) -> str:
    return _figure(value, Unit.SECONDS)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
