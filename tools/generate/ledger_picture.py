"""The ledger of the forge as a picture, for the README."""

import io
from pathlib import Path

from rich.console import Console

from synapse.catalogue import load_catalogue
from synapse.console.ledger import print_ledger
from synapse.plan.build import make_plan
from synapse.settings.load import read_stack_file

_COLUMNS = 96


def ledger_picture(stack_file: Path) -> str:
    """Return what `python -m synapse plan` prints for the stack file, as SVG."""
    plan = make_plan(read_stack_file(stack_file), load_catalogue())
    console = Console(
        record=True,
        width=_COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    print_ledger(console, plan, up_to_phase=len(plan.phases))
    return console.export_svg(title="make plan", unique_id="ledger")
