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
from rich.text import Text

from synapse.settings.problems import SettingsError
from tools.bench.errors import BenchError
from tools.render import render
from tools.sim_stack import SimStackError
from tools.simforge import SIMFORGE_PROGRAMS, Remains, SimForge, SimForgeError
from tools.toolchain import Origin, ToolchainError, ensure, load_versions, resolve
from tools.up import bring_up, tear_down

app = typer.Typer(no_args_is_help=True, add_completion=False)
console = Console()

_LOG_COLUMNS = 160


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (BenchError, ToolchainError, SimForgeError, SimStackError, SettingsError) as error:
        _print_error(error)
        raise typer.Exit(1) from None


def _wide() -> Console:
    """What is written to a log has room for a long line."""
    return console if console.is_terminal else Console(width=_LOG_COLUMNS)


def _print_error(error: Exception) -> None:
    line = Text.assemble(("error:", "red"), f" {error}")
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)


@app.callback()
def main() -> None:
    """The programs that the tests need, and the simulated forge."""


@app.command()
def toolchain(
    programs: Annotated[
        list[str] | None,
        typer.Argument(help="Programs to get; when none is named, those that `make test` needs."),
    ] = None,
    list_only: Annotated[
        bool, typer.Option("--list", help="Only say what is wanted, get nothing.")
    ] = False,
) -> None:
    """Get the programs, and say where each one came from."""
    with _one_line_errors():
        versions = load_versions()
        usual = [one.name for one in versions.programs.values() if not one.on_demand]
        wanted = [versions.program(name) for name in programs or usual]
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


@app.command("up")
def bring_stack_up(
    phase: Annotated[
        int | None, typer.Option(help="Bring the stack to the end of this phase.")
    ] = None,
) -> None:
    """Bring the stack up on the simulated forge; default: the highest phase that is built."""
    with _one_line_errors():
        status = bring_up(state_dir().absolute(), phase, console)
    raise typer.Exit(status)


@app.command("down")
def tear_stack_down() -> None:
    """End the simulated forge, and remove cluster and state."""
    with _one_line_errors():
        tear_down(state_dir().absolute())


@app.command("render")
def render_manifests(
    config: Annotated[Path, typer.Option(help="Stack file.")] = Path("Pulumi.forge.yaml"),
    phase: Annotated[int | None, typer.Option(help="Default: the stack file's.")] = None,
    directory: Annotated[Path, typer.Option(help="Receives the manifests.")] = Path("rendered"),
    seal_with: Annotated[
        Path | None, typer.Option(help="Certificate to seal the Secrets with; default: left out.")
    ] = None,
) -> None:
    """Write the stack's manifests to files, for GitOps; Secrets are left out, or sealed."""
    with _one_line_errors():
        count = render(config, phase, directory, seal_with, console)
    console.print(f"{count} manifests in {directory}", highlight=False)


@app.command("policy")
def judge_by_policy(
    *,
    config: Annotated[Path, typer.Option(help="Stack file; it is only read.")] = Path(
        "Pulumi.forge.yaml"
    ),
    phase: Annotated[int | None, typer.Option(help="Default: the stack file's.")] = None,
    stack: Annotated[
        str | None, typer.Option(help="Preview this stack on your backend instead.")
    ] = None,
    program: Annotated[Path, typer.Option(help="With --stack: the program's folder.")] = Path(),
    state: Annotated[
        Path | None, typer.Option(help="Judge what `pulumi stack export` wrote instead.")
    ] = None,
    pack_config: Annotated[
        Path | None, typer.Option(help="JSON for --policy-pack-config, checked first.")
    ] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0 here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
) -> None:
    """Judge a stack by the policy pack: exit 0 clean, 1 violations, 2 it could not be judged."""
    # Only this command needs the engine's SDK and what it imports.
    from tools.policy_report import command as policy  # noqa: PLC0415
    from tools.policy_report.errors import PolicyRunError  # noqa: PLC0415
    from tools.policy_report.locate import Places  # noqa: PLC0415

    errors = Console(stderr=True)
    try:
        if state is not None:
            judgement = policy.judge_state(state, pack_config, errors)
        elif stack is not None:
            judgement = policy.judge_backend(stack, program, pack_config, errors)
        else:
            judgement = policy.judge_stack_file(config, phase, pack_config, errors)
        stack_file = config if stack is None and state is None else None
        places = Places(stack_file, program / "Pulumi.yaml")
        policy.tell(judgement, places, policy.Reports(sarif, junit), _wide())
    except (PolicyRunError, ToolchainError, SimStackError, SettingsError) as error:
        _print_error(error)
        raise typer.Exit(2) from None
    raise typer.Exit(1 if judgement.refused else 0)


@app.command("bench")
def bench_stack(
    runs: Annotated[int, typer.Option(min=1, help="Runs of each kind.")] = 5,
    directory: Annotated[Path, typer.Option(help="Receives bench.md and bench.json.")] = Path(
        "docs"
    ),
) -> None:
    """Measure what Synapse costs in time; exit 1 when a bound is not held."""
    from tools.bench.command import bench  # noqa: PLC0415 only a bench needs what this imports

    with _one_line_errors():
        held = bench(runs, directory, console)
    raise typer.Exit(0 if held else 1)


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
