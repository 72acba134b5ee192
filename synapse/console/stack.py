"""The options by which every command finds its stack file, and the plan made of it."""

from pathlib import Path
from typing import Annotated

import typer

from synapse.catalogue import load_catalogue
from synapse.console.exits import refuse
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.plan.phases import NUMBERS
from synapse.settings.load import read_stack_file
from synapse.settings.problems import SettingsError
from synapse.settings.settings import Settings

ConfigOption = Annotated[
    Path,
    typer.Option("--config", help="Stack file.", envvar="SYNAPSE_CONFIG", show_default=True),
]
DEFAULT_CONFIG = Path("Pulumi.forge.yaml")
PhaseOption = Annotated[
    int | None, typer.Option(help="As if synapse:phase were this.", show_default="the config's")
]


def settings_of(config: Path) -> Settings:
    """Read the stack file; exit 2 with all of its problems if it is invalid."""
    try:
        return read_stack_file(config)
    except SettingsError as error:
        refuse(str(error))


def settings_in_phase(config: Path, phase: int | None) -> Settings:
    """Read the stack file, with another phase if one is named."""
    settings = settings_of(config)
    if phase is None:
        return settings
    if phase not in NUMBERS:
        refuse(f"--phase = {phase}: allowed is {NUMBERS[0]} to {NUMBERS[-1]}; write {NUMBERS[-1]}")
    return settings.model_copy(update={"phase": phase})


def plan_of(config: Path) -> Plan:
    """Read the stack file and plan it."""
    return make_plan(settings_of(config), load_catalogue())
