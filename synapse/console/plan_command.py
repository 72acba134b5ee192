"""`plan`: the ledger of every phase and GPU state, before anything is touched."""

from typing import Annotated

import typer
from rich.console import Console

from synapse.console.exits import Exit, refuse
from synapse.console.ledger import print_ledger
from synapse.console.stack import DEFAULT_CONFIG, ConfigOption, plan_of
from synapse.plan.phases import NUMBERS


def plan(
    config: ConfigOption = DEFAULT_CONFIG,
    phase: Annotated[
        int | None, typer.Option(help="Judge the phases up to this one; default: all six.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the plan itself; see docs/plan.schema.json.")
    ] = False,
) -> None:
    """Prove that the stack fits: exit 0 fits, 1 does not fit, 2 the config is invalid."""
    last = NUMBERS[-1] if phase is None else phase
    if last not in NUMBERS:
        refuse(f"--phase = {phase}: allowed is {NUMBERS[0]} to {NUMBERS[-1]}; write {NUMBERS[-1]}")
    made = plan_of(config)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
    else:
        print_ledger(Console(), made, up_to_phase=last)
    raise typer.Exit(Exit.REFUSED if made.refusals(last) else Exit.OK)
