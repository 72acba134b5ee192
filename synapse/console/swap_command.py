"""`swap`: the GPU from chat to speech and back."""

import getpass
import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.text import Text

from synapse.catalogue import load_catalogue
from synapse.console.exits import Exit, refuse
from synapse.console.stack import DEFAULT_CONFIG, ConfigOption, PhaseOption, settings_in_phase
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.settings.settings import Settings
from synapse.swap.change import Change, Target, plan_change
from synapse.swap.errors import SwapError
from synapse.swap.limits import Limits

if TYPE_CHECKING:
    from synapse.swap.hold import Hold
    from synapse.swap.present import Present
    from synapse.swap.timeline import Timeline

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_STEPS = (
    "take the Lease {lease}; a cut-off swap's is taken over",
    "drain {leaves}: out of its Service, then {idle}",
    "scale {leaves} to 0 and wait until its pods are gone, within {gone:g} s",
    "scale {enters} to 1; its init container waits until its memory is free",
    "wait until {enters} is ready, as long as its Deployment allows",
    "record an Event, release the Lease",
    "on any failure, on Ctrl-C, and when somebody else changes a Deployment: back to the state "
    "before",
)


def swap(
    target: Annotated[
        Target | None, typer.Argument(help="Who gets the GPU; default: say who has it.")
    ] = None,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    phase: PhaseOption = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="Stay, and swap back after so long: 30m, 1h30m.")
    ] = None,
    idle: Annotated[
        str | None, typer.Option(help="Stay, and swap back once speech was idle for so long.")
    ] = None,
    drain_for: Annotated[
        str, typer.Option(help="How long requests may take to end.", show_default=True)
    ] = "2m",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the steps and the ledger's sums.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write what was done, and how long it took, as JSON.")
    ] = None,
) -> None:
    """Hand the GPU to chat or to speech: exit 0 done, 1 not done, and then all is as before.

    With --for or --idle the command stays until chat is back; Ctrl-C brings it back at once.
    """
    settings = settings_in_phase(config, phase)
    plan = make_plan(settings, load_catalogue())
    limits = Limits(drain_seconds=_seconds("--drain-for", drain_for))
    if target is None:
        _say_present(settings, plan)
        return
    hold = (_duration("--for", for_), _duration("--idle", idle))
    if any(hold) and target is Target.CHAT:
        refuse("--for and --idle bring chat back: they go with `swap speech`")
    try:
        change = plan_change(plan, target)
    except SwapError as error:
        refuse(str(error), Exit.REFUSED)
    if dry_run:
        _print_steps(Console(), plan, change, limits)
        return
    if record:
        _check_record(record)
    _run(settings, plan, target, limits, hold=hold, record=record)


def _seconds(option: str, text: str) -> float:
    found = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not total:
        refuse(f"{option} = {text!r}: allowed is a time such as 30m, 90s or 1h30m; write 30m")
    return float(total)


def _duration(option: str, text: str | None) -> float | None:
    return None if text is None else _seconds(option, text)


def _run(
    settings: Settings,
    plan: Plan,
    target: Target,
    limits: Limits,
    *,
    hold: tuple[float | None, float | None],
    record: Path | None,
) -> None:
    # Here, so that `plan` does not load the Kubernetes library.
    from synapse.console.reach import reached  # noqa: PLC0415
    from synapse.console.swap_progress import Lines, Moving  # noqa: PLC0415
    from synapse.swap.run import Swap  # noqa: PLC0415
    from synapse.swap.stop import Stop, stopped_by_signals  # noqa: PLC0415

    console, stop = Console(), Stop()
    moving = Moving() if console.is_terminal else None
    with (
        reached(settings.target) as cluster,
        stopped_by_signals(stop),
        moving.live(console) if moving else nullcontext(),
    ):
        made = Swap(cluster, plan, _identity(), limits, moving or Lines(console), stop)
        try:
            timeline = made.run(target, _hold(*hold))
        except SwapError as error:
            failure: SwapError | None = error
        else:
            failure = None
    if failure:
        refuse(str(failure), Exit.REFUSED)
    if record:
        _write_record(console, record, timeline)
    _print_end(console, timeline)


def _check_record(record: Path) -> None:
    """Before anything is touched: what could not be written afterwards is said now."""
    try:
        record.open("a", encoding="utf-8").close()
    except OSError as error:
        refuse(f"--record = {record}: cannot be written ({error.strerror}); name another file")


def _write_record(console: Console, record: Path, timeline: "Timeline") -> None:
    """The swap is over: that it cannot be recorded does not undo it."""
    try:
        record.write_text(timeline.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        said = (
            f"--record = {record}: not written ({error.strerror}); the swap is not undone by that"
        )
        console.print(Text(said, style="red"), soft_wrap=True)


def _hold(seconds: float | None, idle_seconds: float | None) -> "Hold | None":
    from synapse.swap.hold import Hold  # noqa: PLC0415  as above

    return Hold(seconds, idle_seconds) if seconds or idle_seconds else None


def _identity() -> str:
    """Who holds the Lease: telling to a reader, and never the same twice."""
    return f"{getpass.getuser()}@{os.uname().nodename}-{uuid4().hex[:8]}"


def _print_end(console: Console, timeline: "Timeline") -> None:
    if timeline.simulated:
        console.print("The pods of this target are simulated: they stop and start at once.")
    way = " → ".join(timeline.way)
    if timeline.outcome in ("swapped", "already"):
        said = f"; {timeline.why}" if timeline.why else ""
        did = f"{timeline.target} has the GPU already" if timeline.outcome == "already" else way
        console.print(Text(f"{did}, {timeline.took_seconds:.1f} s{said}", style="green"))
        return
    did = "went back" if timeline.outcome == "went back" else "not done"
    refuse(f"{way}: {did}: {timeline.why}", Exit.REFUSED)


def _print_steps(console: Console, plan: Plan, change: Change, limits: Limits) -> None:
    from synapse.names import ENGINE_GAUGES  # noqa: PLC0415  as above
    from synapse.swap.lease import LEASE  # noqa: PLC0415  as above

    console.print(f"{change.source} → {change.target}, phase {plan.phase}")
    for verdict in change.verdicts:
        mark = "fits" if verdict.fits else "does not fit"
        console.print(Text(f"{mark}: {verdict.scope}: {verdict.sum}"), soft_wrap=True)
    idle = "it has no metrics: its own end waits for its requests"
    if plan.engine.service in change.leaves:
        gauges = " and ".join(ENGINE_GAUGES[plan.engine.kind])
        idle = (
            f"{gauges} at 0 for {limits.settle_seconds:g} s, "
            f"within {limits.drain_seconds:g} s; what cannot be read counts as busy"
        )
    for number, step in enumerate(_STEPS, 1):
        text = step.format(
            lease=LEASE,
            leaves=", ".join(change.leaves),
            enters=", ".join(change.enters),
            idle=idle,
            gone=limits.gone_seconds,
        )
        console.print(Text(f"{number}. {text}"), soft_wrap=True)


def _say_present(settings: Settings, plan: Plan) -> None:
    from synapse.console.reach import reached  # noqa: PLC0415  as above
    from synapse.swap.present import look  # noqa: PLC0415  as above

    with reached(settings.target) as cluster:
        try:
            present = look(cluster, plan)
        except SwapError as error:
            refuse(str(error), Exit.REFUSED)
    _print_present(Console(), present)


def _print_present(console: Console, present: "Present") -> None:
    who = present.target or "neither, or both want it"
    counts = ", ".join(f"{name} {count}" for name, count in present.replicas.items())
    console.print(Text(f"on the GPU: {who} (replicas: {counts or 'not deployed'})"))
    lease = present.lease
    if lease is None:
        console.print("no swap is at work")
        return
    console.print(Text(f"Lease held by {lease.holder}, renewed {lease.renewed}"))
    intent = lease.intent
    if intent and intent.holds:
        until = f" until {intent.returns_at:%Y-%m-%d %H:%M %Z}" if intent.returns_at else ""
        console.print(Text(f"{intent.target} stays{until}; `swap chat` ends it"))
    elif intent:
        console.print(
            Text(
                f"{intent.source} → {intent.target}, step {intent.step}; if its process is gone, "
                "the next swap takes over"
            )
        )
