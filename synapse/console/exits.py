"""Exit codes of the console, and the one way in which it refuses."""

from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

errors = Console(stderr=True, soft_wrap=True)


class Exit(IntEnum):
    """What the exit status says to a script."""

    OK = 0
    REFUSED = 1
    INVALID = 2


def refuse(message: str, code: Exit = Exit.INVALID) -> NoReturn:
    """Say why on standard error, and end."""
    errors.print(f"[red]error:[/red] {escape(message)}", highlight=False)
    raise typer.Exit(code)
