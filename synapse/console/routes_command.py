"""`routes`: every public name and who answers it, by the plan, and now."""

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
from synapse.settings.machine import Target

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
    now = _who_answers(settings.target, plan) if live else None
    console = Console()
    columns = ["name", "backend", "model there", "kind", "if it is down"]
    table = plain_table("Routes", *columns, *(["answers now"] if now else []))
    shown = plan.gateway.routes_in(max(plan.phase, GATEWAY))
    for route in shown:
        backend = plan.engine.service if route.backend == "engine" else route.backend
        cells = [route.name, backend, route.model, route.mode, route.fallback or "an error"]
        table.add_row(*map(Text, cells), *([now[route.name]] if now else []))
    console.print(table)
    console.print(Text(_others(plan)), soft_wrap=True)
    if plan.phase < GATEWAY:
        console.print(f"The gateway comes with phase {GATEWAY}; the config is at {plan.phase}.")
    later = [route.name for route in plan.gateway.routes if route not in shown]
    if later:
        console.print(Text(f"With phase {SPEECH}: {', '.join(later)}."), soft_wrap=True)
    nobody = now is not None and _NOBODY in now.values()
    raise typer.Exit(Exit.REFUSED if nobody else Exit.OK)


def _others(plan: Plan) -> str:
    if plan.gateway.unknown_models == "reject":
        return "Any other name gets a 404 (gateway.unknown_models: reject)."
    return f"Any other name is answered by {plan.gateway.default_route}."


def _who_answers(target: Target, plan: Plan) -> dict[str, Text]:
    # Here, so that `plan` does not load the Kubernetes library.
    from synapse.console.reach import reached  # noqa: PLC0415
    from synapse.gates.answers import (  # noqa: PLC0415
        answers_now,
        engine_answer,
        gateway_answer,
        ollama_answer,
        speaks_now,
        speech_answers,
    )

    asked = plan.gateway.routes_in(max(plan.phase, GATEWAY))
    with reached(target) as cluster:
        if cluster.simulated:
            return {route.name: _SIMULATED for route in asked}
        if not gateway_answer(cluster, plan).up:
            return {route.name: _NOBODY for route in asked}
        engine, ollama = engine_answer(cluster, plan), ollama_answer(cluster, plan)
        speech = speech_answers(cluster, plan)
    found = {
        route.name: speaks_now(route, speech, plan)
        if route.backend in speech
        else answers_now(route, engine, ollama)
        for route in asked
    }
    return {name: Text(who) if who else _NOBODY for name, who in found.items()}
