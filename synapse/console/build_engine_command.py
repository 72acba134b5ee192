"""`build-engine`: build the engine's own image and push it to its registry."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from synapse.catalogue import load_catalogue
from synapse.console.exits import Exit, refuse
from synapse.console.stack import DEFAULT_CONFIG, ConfigOption, settings_of
from synapse.plan.build import make_plan
from synapse.plan.image import build_commands
from synapse.plan.model import Plan
from synapse.settings.workloads import EngineBuild

_BUILD_FILES = ("Dockerfile", "Containerfile")
_TOOLS = ("docker", "podman", "nerdctl")


def build_engine(
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the commands and run none.")
    ] = False,
) -> None:
    """Build engine.image out of engine.build.context and push it: exit 1 if that fails.

    A relative context is seen from the directory of the stack file.
    """
    settings = settings_of(config)
    plan = make_plan(settings, load_catalogue())
    build = settings.engine.build
    if build is None:
        refuse(
            "synapse:engine.build is not set: allowed is a section with `context:`, the directory "
            "of the Dockerfile, and `tool:` (docker, podman or nerdctl); add it"
        )
    _refuse_what_cannot_run(plan)
    context = _context(build, config.parent)
    commands = build_commands(plan.engine, build.tool, context)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if not dry_run:
        _find_tool(build.tool)
    for command in commands:
        console.print(shlex.join(command))
        if not dry_run:
            _run(command)
    raise typer.Exit(Exit.OK)


def _refuse_what_cannot_run(plan: Plan) -> None:
    """The plan's verdict on the version; a build of many minutes would not change it."""
    for verdict in plan.verdicts:
        if verdict.rule == "engine-runs-on-gpu" and not verdict.fits:
            refuse(f"{plan.engine.image}: {verdict.sum}; {verdict.cure}", Exit.REFUSED)


def _context(build: EngineBuild, base: Path) -> Path:
    context = base / Path(build.context).expanduser()
    if not any((context / name).is_file() for name in _BUILD_FILES):
        refuse(
            f"synapse:engine.build.context = {build.context}: there is no "
            f"{' or '.join(_BUILD_FILES)} in {context.resolve()}; "
            "name the directory that holds it"
        )
    return context


def _find_tool(tool: str) -> None:
    if shutil.which(tool):
        return
    others = [name for name in _TOOLS if shutil.which(name)]
    cure = f"set it to {' or '.join(others)}" if others else f"install {tool}"
    refuse(f"synapse:engine.build.tool = {tool}: there is no such program here; {cure}")


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, check=False).returncode
    if ended != 0:
        refuse(f"{shlex.join(command)} ended with {ended}; see what it said above", Exit.REFUSED)
