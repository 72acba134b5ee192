"""How a swap is shown: a table that moves on a terminal, a line a step elsewhere."""

import time

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from synapse.swap.timeline import Step, StepRecord

_REFRESHES_PER_SECOND = 4
_TITLES = {
    Step.LEASE: "take the Lease",
    Step.DRAIN: "drain",
    Step.SCALE_DOWN: "scale down",
    Step.GONE: "pods gone",
    Step.SCALE_UP: "scale up",
    Step.MEMORY: "memory free",
    Step.READY: "ready",
    Step.HOLD: "hold",
    Step.BACK: "go back",
    Step.RELEASE: "release the Lease",
}


def title(step: Step) -> str:
    """A step in the operator's words."""
    return _TITLES[step]


class Lines:
    """A line for each step that has ended."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def began(self, step: Step, what: str) -> None:
        """Say nothing before its end."""

    def said(self, text: str) -> None:
        """Say it with its end."""

    def ended(self, record: StepRecord) -> None:
        """Print the step."""
        mark = "ok" if record.ended == "done" else "failed"
        said = f" ({record.said})" if record.said else ""
        line = f"{mark:6} {title(record.step)}, {record.what}: {record.took_seconds:.1f} s{said}"
        self._console.print(Text(line), soft_wrap=True)


class Moving:
    """A table of all steps; the running one counts its seconds."""

    def __init__(self) -> None:
        self._ended: list[StepRecord] = []
        self._running: tuple[Step, str, float] | None = None
        self._said = ""
        self._spinner = Spinner("dots")

    def live(self, console: Console) -> Live:
        """The display, for the length of a `with`."""
        return Live(
            console=console,
            get_renderable=self.__rich__,
            refresh_per_second=_REFRESHES_PER_SECOND,
        )

    def began(self, step: Step, what: str) -> None:
        """Show the step as running."""
        self._said = ""
        self._running = (step, what, time.monotonic())

    def said(self, text: str) -> None:
        """Show it beside the running step."""
        self._said = text

    def ended(self, record: StepRecord) -> None:
        """Show the step with its time."""
        self._running = None
        self._ended.append(record)

    def __rich__(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for record in self._ended:
            done = record.ended == "done"
            table.add_row(
                Text("✓" if done else "✗", style="green" if done else "red"),
                title(record.step),
                Text(record.what),
                Text(f"{record.took_seconds:.1f} s", justify="right"),
                Text(record.said, style="dim"),
            )
        if self._running:
            step, what, began = self._running
            table.add_row(
                self._spinner,
                title(step),
                Text(what),
                Text(f"{time.monotonic() - began:.1f} s", justify="right"),
                Text(self._said, style="dim"),
            )
        return table
