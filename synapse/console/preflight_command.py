"""`preflight`: whether the cluster is ready for a phase, before anything is deployed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from synapse.gates.preflight import Finding


def preflight(config: ConfigOption = DEFAULT_CONFIG, phase: PhaseOption = None) -> None:
    """Check the cluster before a phase: exit 0 ready, 1 not ready, 2 the config is invalid."""
    # Here, so that `plan` does not load the Kubernetes library.
    from synapse.console.reach import reached  # noqa: PLC0415
    from synapse.gates.preflight import preflight as judge  # noqa: PLC0415
    from synapse.gates.reading import read_snapshot  # noqa: PLC0415

    settings = settings_in_phase(config, phase)
    plan = make_plan(settings, load_catalogue())
    with reached(settings.target) as cluster:
        findings = judge(settings, plan, read_snapshot(cluster, settings, plan))
    _print(Console(), findings, plan.phase)
    raise typer.Exit(Exit.REFUSED if any(one.refused for one in findings) else Exit.OK)


def _print(console: Console, findings: "Sequence[Finding]", phase: int) -> None:
    table = plain_table(f"Before phase {phase}", "check", "", "seen", "wanted")
    for one in findings:
        table.add_row(one.name, _verdict(one), Text(one.seen), Text(one.wanted))
    console.print(table)
    for one in findings:
        if not one.ok:
            console.print(Text.assemble(_verdict(one), f" {one.name}: {one.cure}"), soft_wrap=True)
    refused = sum(one.refused for one in findings)
    if refused:
        line = f"[bold red]not ready[/bold red]: {refused} of {len(findings)} checks"
    else:
        line = f"[bold green]ready[/bold green]: {len(findings)} checks"
    console.print(f"{line}, phase {phase}", highlight=False)


def _verdict(finding: "Finding") -> Text:
    if finding.ok:
        return Text("ok", style="green")
    if finding.refused:
        return Text("refused", style="red")
    return Text("warning", style="yellow")
