"""The look of the console's tables."""

from rich import box
from rich.table import Table


def plain_table(title: str, *columns: str) -> Table:
    """A table with a rule under its head, whose cells are text and not markup."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
