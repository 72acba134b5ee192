"""The commands of `python -m synapse`."""

import typer

from synapse.console import (
    build_engine_command,
    health_command,
    plan_command,
    preflight_command,
    pull_command,
    routes_command,
    swap_command,
)

app = typer.Typer(
    help="A private LLM stack on one GPU machine: what fits, what runs, what answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("plan")(plan_command.plan)
app.command("preflight")(preflight_command.preflight)
app.command("pull")(pull_command.pull)
app.command("health")(health_command.health)
app.command("routes")(routes_command.routes)
app.command("swap")(swap_command.swap)
app.command("build-engine")(build_engine_command.build_engine)


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m synapse")
