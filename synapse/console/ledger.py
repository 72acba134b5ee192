"""The ledger on the terminal: each sum beside its limit, then what does not fit and its cure."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from synapse.plan.model import Plan, RamSum, Verdict
from synapse.plan.phases import ENGINE
from synapse.plan.verdicts import added, within

_BAR_CELLS = 10
_NUMBERS = {"sum", "limit", "planned", "limits", "files", "usable", "size"}
_FULL, _EMPTY = "█", "░"


def print_ledger(console: Console, plan: Plan, up_to_phase: int) -> None:
    """Print what the phases up to this one take, and whether it fits."""
    console.print(_headline(plan), highlight=False)
    console.print(_gpu_table(plan, up_to_phase))
    if any(way.phases[0] <= up_to_phase for way in plan.transitions):
        console.print(_transitions_line(plan, up_to_phase), highlight=False)
    if up_to_phase >= ENGINE:
        console.print(_engine_line(plan), highlight=False)
    console.print(_ram_table(plan, up_to_phase))
    console.print(_disk_table(plan))
    for line in _verdict_lines(plan, up_to_phase):
        console.print(line, highlight=False, soft_wrap=True)


def _headline(plan: Plan) -> str:
    gpu, node = plan.gpu, plan.node
    return (
        f"[bold]{node.name}[/bold]: {gpu.model} {gpu.total_gib:.2f} GiB "
        f"(a state may take {gpu.ceiling_gib:.1f}), RAM {node.memory_gib:g} GiB, "
        f"{node.cpus:g} cores, gpu.sharing {gpu.sharing}"
    )


def _gpu_table(plan: Plan, up_to_phase: int) -> Table:
    table = _table("GPU states: VRAM in GiB", "state", "phases", "on the GPU", "sum", "limit", "")
    for state in plan.states:
        if state.phases[0] <= up_to_phase:
            table.add_row(
                state.name,
                _span(state.phases),
                "\n".join(member.formula for member in state.members),
                f"{state.sum_gib:.1f}",
                f"{plan.gpu.ceiling_gib:.1f}",
                _bar(state.sum_gib, plan.gpu.ceiling_gib),
            )
    return table


def _transitions_line(plan: Plan, up_to_phase: int) -> str:
    ways = [way for way in plan.transitions if way.phases[0] <= up_to_phase]
    peak = max(ways, key=lambda way: way.peak_gib)
    return (
        f"{len(ways)} transitions, what leaves is gone before anything enters; the largest peak is "
        f"{peak.peak_gib:.1f} GiB ({escape(peak.source)} → {escape(peak.target)})\n"
    )


def _engine_line(plan: Plan) -> str:
    engine = plan.engine
    return (
        f"{engine.kind} {engine.version}, {engine.model}: needs {added(engine.needs)}, "
        f"has {engine.share_gib:.1f} GiB ({engine.gpu_memory_utilization:.2f} × "
        f"{plan.gpu.total_gib:.2f}); KV cache {engine.kv_gib:.1f} GiB, "
        f"{engine.kv_tokens:,} tokens\n"
    )


def _ram_table(plan: Plan, up_to_phase: int) -> Table:
    table = _table("RAM in GiB", "phase", "GPU state", "planned", "limits", "")
    sums: dict[tuple[int, str], dict[str, RamSum]] = {}
    for one in plan.ram:
        if one.phase <= up_to_phase:
            sums.setdefault((one.phase, one.state), {})[one.kind] = one
    for (number, state), kinds in sums.items():
        phase = plan.phase_plan(number)
        table.add_row(
            f"{number} {phase.title}{'' if phase.built else ' *'}",
            state,
            *(_of(kinds[kind]) for kind in ("planned", "limits")),
            _bar(kinds["limits"].sum_gib, kinds["limits"].limit_gib),
        )
    if any(not phase.built for phase in plan.phases[:up_to_phase]):
        table.caption, table.caption_justify = "* not built yet, but planned for", "left"
    return table


def _of(one: RamSum) -> Text:
    style = "" if within(one.sum_gib, one.limit_gib) else "bold red"
    return Text(f"{one.sum_gib:.1f} / {one.limit_gib:.1f}", style=style)


def _disk_table(plan: Plan) -> Table:
    table = _table("Disk in GiB", "volume", "holds", "files", "usable", "size", "")
    for volume in plan.volumes:
        table.add_row(
            volume.claim,
            ", ".join(line.what for line in volume.lines) or "nothing yet",
            f"{volume.sum_gib:.1f}",
            f"{volume.usable_gib:.1f}",
            f"{volume.size_gib:.0f}",
            _bar(volume.sum_gib, volume.usable_gib),
        )
    return table


def _verdict_lines(plan: Plan, up_to_phase: int) -> Iterable[str]:
    judged = [one for one in plan.verdicts if min(one.phases) <= up_to_phase]
    refused = plan.refusals(up_to_phase)
    for verdict in judged:
        if not verdict.fits and verdict not in refused:
            yield f"[yellow]warning[/yellow] {_said(verdict)}"
    for verdict in refused:
        yield f"[red]refused[/red] {_said(verdict)}"
    phases = f"phases 1 to {up_to_phase}" if up_to_phase > 1 else "phase 1"
    if refused:
        yield f"[bold red]does not fit[/bold red]: {len(refused)} of {len(judged)} checks, {phases}"
    else:
        yield f"[bold green]fits[/bold green]: {len(judged)} checks, {phases}"


def _said(verdict: Verdict) -> str:
    return escape(verdict.refusal)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.collapse_padding = True
    for column in columns:
        number = column in _NUMBERS
        table.add_column(
            column, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    return table


def _bar(sum_gib: float, limit_gib: float) -> Text:
    filled = min(_BAR_CELLS, round(_BAR_CELLS * sum_gib / limit_gib)) if limit_gib > 0 else 0
    style = "green" if within(sum_gib, limit_gib) else "red"
    return Text(_FULL * filled + _EMPTY * (_BAR_CELLS - filled), style=style)


def _span(phases: Sequence[int]) -> str:
    first, last = min(phases), max(phases)
    return f"{first}" if first == last else f"{first}–{last}"  # noqa: RUF001  an en dash is right
