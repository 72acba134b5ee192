"""The commands of `python -m tools`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tools.simforge import SIMFORGE_PROGRAMS, Remains, SimForge, SimForgeError
from tools.toolchain import Origin, ToolchainError, ensure, load_versions, resolve

app = typer.Typer(no_args_is_help=True, add_completion=False)
console = Console()


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (ToolchainError, SimForgeError) as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


@app.callback()
def main() -> None:
    """The programs that the tests need, and the simulated forge."""


@app.command()
def toolchain(
    programs: Annotated[
        list[str] | None, typer.Argument(help="Programs to get; all of them when none is named.")
    ] = None,
    list_only: Annotated[
        bool, typer.Option("--list", help="Only say what is wanted, get nothing.")
    ] = False,
) -> None:
    """Get the programs, and say where each one came from."""
    with _one_line_errors():
        versions = load_versions()
        wanted = [versions.program(name) for name in programs or versions.programs]
        table = Table(box=None)
        table.add_column("program", no_wrap=True)
        table.add_column("version", no_wrap=True)
        if list_only:
            for program in wanted:
                table.add_row(program.name, program.version)
        else:
            table.add_column("from", no_wrap=True)
            for item in resolve([program.name for program in wanted], console):
                style = "yellow" if item.origin is Origin.STAND_IN else ""
                table.add_row(
                    item.program.name,
                    item.program.version,
                    f"[{style}]{item.origin}[/]" if style else str(item.origin),
                )
        console.print(table)


sim = typer.Typer(no_args_is_help=True, help="The simulated forge.")
app.add_typer(sim, name="sim")


def state_dir() -> Path:
    """`$SYNAPSE_STATE`, else `.synapse/` in the project."""
    chosen = os.environ.get("SYNAPSE_STATE")
    return Path(chosen).expanduser() if chosen else Path(__file__).parents[1] / ".synapse"


def _sim_dir() -> Path:
    return state_dir() / "sim"


@sim.command()
def up() -> None:
    """Start it, and print where its kubeconfig is."""
    with _one_line_errors():
        forge = SimForge(_sim_dir(), ensure(SIMFORGE_PROGRAMS, console))
        with console.status("starting the simulated forge"):
            kubeconfig = forge.start()
        console.print(
            f"The simulated forge runs: API server, controllers and scheduler are real, pods are "
            f"simulated.\nexport KUBECONFIG={kubeconfig}",
            highlight=False,
            soft_wrap=True,
        )


@sim.command()
def down() -> None:
    """Stop it and remove its data."""
    with _one_line_errors():
        Remains(_sim_dir()).destroy()


@sim.command()
def status() -> None:
    """Say which of its processes run."""
    with _one_line_errors():
        table = Table("process", "pid", box=None)
        for name, process in Remains(_sim_dir()).processes.items():
            running = process.running()
            table.add_row(name, str(running.pid) if running else "-")
        console.print(table)
