"""Shows how far each program is: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table


@dataclass
class _Row:
    state: str = "waiting"
    started: float | None = None
    ended: float | None = None


@dataclass
class Progress:
    """One line a program: its state, and the seconds since its work began."""

    console: Console
    rows: dict[str, _Row] = field(default_factory=dict)

    @contextmanager
    def showing(self, names: list[str]) -> Iterator[None]:
        """Shows the lines of these programs while the block runs."""
        self.rows = {name: _Row() for name in names}
        if not self.console.is_terminal:
            yield
            return
        with Live(get_renderable=self._table, console=self.console, refresh_per_second=4):
            yield

    def note(self, text: str) -> None:
        """Says one line about the whole."""
        self.console.print(text, style="dim", highlight=False)

    def say(self, name: str, state: str) -> None:
        """Sets the state of a program that is being worked on."""
        row = self.rows[name]
        if row.started is None:
            row.started = time.monotonic()
            if not self.console.is_terminal:
                self.console.print(f"{name}: {escape(state)}", highlight=False)
        row.state = state

    def done(self, name: str, state: str) -> None:
        """Says how a program came to be there."""
        row = self.rows[name]
        row.state = state
        row.ended = time.monotonic()
        if not self.console.is_terminal and row.started is not None:
            self.console.print(f"{name}: {escape(state)} ({_seconds(row)})", highlight=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, row in self.rows.items():
            mark: RenderableType = " "
            if row.ended is not None:
                mark = "[green]✓[/]"
            elif row.started is not None:
                mark = Spinner("dots")
            table.add_row(mark, name, escape(row.state), _seconds(row))
        return table


def _seconds(row: _Row) -> str:
    if row.started is None:
        return ""
    return f"{(row.ended or time.monotonic()) - row.started:.0f} s"
