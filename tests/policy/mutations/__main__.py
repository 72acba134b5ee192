"""`make mutations`: try every mutation of our own stack, and show who catches it."""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

_ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(_ROOT / "policy"), str(_ROOT)]

from tests.policy.mutations.mutation import Outcome, mutations, try_out


def main() -> int:
    """Print the table, and return the exit status: 1 unless all are as they are listed."""
    console = Console()
    outcomes = [
        try_out(one) for one in track(mutations(), "judging", console=console, transient=True)
    ]
    console.print(_table(outcomes))
    caught = sum(one.is_caught for one in outcomes)
    listed = sum(one.is_as_listed and not one.is_caught for one in outcomes)
    console.print(
        f"caught {caught}/{len(outcomes)}; {listed} that no pack can see are listed with a reason",
        highlight=False,
    )
    return 0 if all(one.is_as_listed for one in outcomes) else 1


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("mutation", "caught by"):
        table.add_column(heading)
    for one in outcomes:
        table.add_row(one.mutation.name, _words(one))
    return table


def _words(one: Outcome) -> str:
    others = [rule for rule in one.caught_by if rule != one.mutation.rule]
    if one.is_caught:
        return f"[green]{one.mutation.rule}[/]" + (f" and {len(others)} more" if others else "")
    if one.is_as_listed:
        return f"[yellow]nobody:[/] {one.mutation.slips}"
    return f"[red]not by {one.mutation.rule}[/], but by {', '.join(others) or 'nobody'}"


sys.exit(main())
