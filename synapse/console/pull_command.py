"""`pull`: run the pull Jobs again, with their log."""

from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from synapse.catalogue import load_catalogue
from synapse.console.exits import Exit, refuse
from synapse.console.stack import DEFAULT_CONFIG, ConfigOption, settings_of
from synapse.names import OLLAMA_PULL
from synapse.plan.build import make_plan
from synapse.plan.model import Plan

_MINUTES = 360
_SECONDS_PER_MINUTE = 60


def pull(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Tags out of ollama.models; default: all.", show_default=False),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    timeout_minutes: Annotated[
        int, typer.Option(min=1, help="Stop following a Job after so long; it goes on.")
    ] = _MINUTES,
) -> None:
    """Pull models onto Ollama's volume, one by one: exit 0 all are there, 1 one failed.

    What is there already is not fetched again, and a Job that runs is followed, not doubled.
    """
    # Here, so that `plan` does not load the Kubernetes library.
    from synapse.cluster.pulls import Ended, follow, start_pull  # noqa: PLC0415
    from synapse.console.reach import reached  # noqa: PLC0415

    settings = settings_of(config)
    plan = make_plan(settings, load_catalogue())
    tags = _chosen(plan, models or [])
    console = Console(soft_wrap=True, highlight=False, markup=False)
    ends = []
    with reached(settings.target) as cluster:
        for tag in tags:
            job, running = start_pull(cluster, plan.namespace, OLLAMA_PULL, tag)
            name = job.metadata.name if job.metadata else None
            _say(console, tag, f"{'following' if running else 'started'} Job {name}")
            how = follow(
                cluster,
                job,
                timeout_minutes * _SECONDS_PER_MINUTE,
                partial(_say, console, tag),
            )
            simulated = " (simulated: nothing was downloaded)" if cluster.simulated else ""
            _say(console, tag, f"{how}{simulated}")
            ends.append(how)
    done = all(how is Ended.COMPLETE for how in ends)
    raise typer.Exit(Exit.OK if done else Exit.REFUSED)


def _say(console: Console, tag: str, line: str) -> None:
    """A line of a log, without what it would do to the terminal."""
    text = Text.from_ansi(line).plain.strip()
    if text:
        console.print(f"{tag}: {text}")


def _chosen(plan: Plan, asked: list[str]) -> list[str]:
    known = [model.tag for model in plan.ollama.models]
    unknown = [tag for tag in asked if tag not in known]
    if unknown:
        refuse(
            f"{', '.join(unknown)}: allowed are the models of the plan ({', '.join(known)}); "
            "add it to synapse:ollama.models, see that it fits with `python -m synapse plan`, "
            "and `pulumi up` pulls it"
        )
    return list(dict.fromkeys(asked)) or known
