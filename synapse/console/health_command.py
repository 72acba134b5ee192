"""`health`: whether what the phase holds is there and answers."""

import typer
from rich.console import Console
from rich.text import Text

from synapse.catalogue import load_catalogue
from synapse.console.exits import Exit
from synapse.console.stack import (
    DEFAULT_CONFIG,
    ConfigOption,
    PhaseOption,
    settings_in_phase,
)
from synapse.console.tables import plain_table
from synapse.plan.build import make_plan

_STYLES = {"up": "green", "down": "red", "simulated": "yellow", "resting": "dim"}


def health(config: ConfigOption = DEFAULT_CONFIG, phase: PhaseOption = None) -> None:
    """Look at every Deployment and ask every service: exit 0 all up, 1 something is down.

    No model is called. On the simulated forge the pods are simulated and answer nothing: their
    readiness is shown, and nothing is asked.
    """
    # Here, so that `plan` does not load the Kubernetes library.
    from synapse.console.reach import reached  # noqa: PLC0415
    from synapse.gates.health import check_health  # noqa: PLC0415

    settings = settings_in_phase(config, phase)
    plan = make_plan(settings, load_catalogue())
    console = Console()
    with reached(settings.target) as cluster, console.status("asking the cluster"):
        found = list(check_health(cluster, plan))
        simulated = cluster.simulated
    table = plain_table(f"Phase {plan.phase}", "service", "looked at", "state", "said")
    for one in found:
        state = Text(one.state, style=_STYLES[one.state])
        table.add_row(one.name, one.looked_at, state, Text(one.said))
    console.print(table)
    if simulated:
        console.print("The pods of this target are simulated: ready says nothing about a model.")
    down = any(one.state == "down" for one in found)
    raise typer.Exit(Exit.REFUSED if down else Exit.OK)
