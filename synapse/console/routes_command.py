"""`routes`: every public name and who answers it, by the plan, and now."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from synapse.catalogue import load_catalogue
from synapse.console.exits import Exit
from synapse.console.stack import DEFAULT_CONFIG, ConfigOption, settings_of
from synapse.console.tables import plain_table
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.plan.phases import GATEWAY, SPEECH
from synapse.plan.served import Route
from synapse.settings.machine import Target

_UP, _DOWN = Text("up", style="green"), Text("down", style="red")
_NOBODY = Text("nobody", style="red")
_SIMULATED = Text("simulated", style="yellow")


def routes(
    config: ConfigOption = DEFAULT_CONFIG,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the cluster who would answer each name now.")
    ] = False,
) -> None:
    """Show the public names: exit 0, or 1 with --live if nobody answers one of them."""
    settings = settings_of(config)
    plan = make_plan(settings, load_catalogue())
    shown = plan.gateway.routes_in(max(plan.phase, GATEWAY))
    now = _now(settings.target, plan, shown) if live else {}
    console = Console()
    columns = ["name", "backend", "model there", "kind", "if it is down"]
    table = plain_table("Routes", *columns, *(["health", "answers now"] if now else []))
    for route in shown:
        backend = plan.engine.service if route.backend == "engine" else route.backend
        cells = [route.name, backend, route.model, route.mode, route.fallback or "an error"]
        table.add_row(*map(Text, cells), *now.get(route.name, ()))
    console.print(table)
    console.print(Text(_others(plan)), soft_wrap=True)
    if plan.phase < GATEWAY:
        console.print(f"The gateway comes with phase {GATEWAY}; the config is at {plan.phase}.")
    later = [route.name for route in plan.gateway.routes if route not in shown]
    if later:
        console.print(Text(f"With phase {SPEECH}: {', '.join(later)}."), soft_wrap=True)
    nobody = any(who is _NOBODY for _, who in now.values())
    raise typer.Exit(Exit.REFUSED if nobody else Exit.OK)


def _others(plan: Plan) -> str:
    if plan.gateway.unknown_models == "reject":
        return "Any other name gets a 404 (gateway.unknown_models: reject)."
    return f"Any other name is answered by {plan.gateway.default_route}."


def _now(target: Target, plan: Plan, routes: Sequence[Route]) -> dict[str, tuple[Text, Text]]:
    """By public name: the health of its own backend, and who would answer."""
    # Here, so that `plan` does not load the Kubernetes library.
    from synapse.console.reach import reached  # noqa: PLC0415
    from synapse.gates.answers import (  # noqa: PLC0415
        backends_answer,
        gateway_answer,
        route_now,
    )

    with reached(target) as cluster:
        if cluster.simulated:
            return {route.name: (_SIMULATED, _SIMULATED) for route in routes}
        through = gateway_answer(cluster, plan).up
        spoken = backends_answer(cluster, plan, routes)
    found = {route.name: route_now(route, routes, spoken) for route in routes}
    return {
        name: (_UP if now.up else _DOWN, Text(now.who) if now.who and through else _NOBODY)
        for name, now in found.items()
    }
