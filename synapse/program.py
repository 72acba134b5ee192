"""What the Pulumi program does between reading its config and exporting its outputs."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import pulumi

from synapse.cluster.errors import ClusterError
from synapse.components.secrets import Apply, Omit, Seal, Secrets
from synapse.components.stack import Synapse, SynapseArgs
from synapse.gates.preflight import Finding, preflight
from synapse.plan.image import build_commands
from synapse.plan.model import Plan
from synapse.plan.phases import HIGHEST_BUILT
from synapse.settings.machine import Target, TargetKind
from synapse.settings.pulumi_config import StackConfig
from synapse.settings.settings import Settings


def refuse_what_does_not_fit(plan: Plan) -> None:
    """The first lock: nothing is registered unless everything up to the phase fits.

    Raises:
        pulumi.RunError: with every sum that is above its limit, and its cure.
    """
    problems = [verdict.refusal for verdict in plan.refusals(plan.phase)]
    phase = plan.phase_plan(plan.phase)
    if not phase.built:
        problems.append(
            f"synapse:phase = {phase.number}: phase {phase.number} ({phase.title}: "
            f"{phase.brings}) is not built yet; write {HIGHEST_BUILT}"
        )
    _refuse("the stack is refused", problems)
    for verdict in plan.verdicts:
        reached = min(verdict.phases) <= plan.phase
        if reached and not verdict.fits and verdict.severity == "warn":
            pulumi.log.warn(f"{verdict.rule}: {verdict.sum}; {verdict.cure}")


def refuse_an_unfit_cluster(plan: Plan, settings: Settings) -> None:
    """Check the prerequisites on the cluster itself, right before it is written to.

    A preview asks no cluster: in CI there may be none.

    Raises:
        pulumi.RunError: with every prerequisite that is not met, and its cure.
    """
    if pulumi.runtime.is_dry_run() or settings.target.kind is TargetKind.RENDER:
        return
    # A preview does without the client library, a tenth of all that it would import.
    from synapse.cluster.access import connect  # noqa: PLC0415
    from synapse.gates.reading import read_snapshot  # noqa: PLC0415

    try:
        with connect(settings.target) as cluster:
            findings = preflight(settings, plan, read_snapshot(cluster, settings, plan))
    except ClusterError as error:
        raise pulumi.RunError(str(error)) from None
    if settings.target.kind is not TargetKind.SIM:  # no simulated pod misses what is warned of
        for finding in findings:
            if not finding.ok and not finding.refused:
                pulumi.log.warn(_said(finding))
    _refuse("the cluster is not ready", [_said(finding) for finding in findings if finding.refused])


def _refuse(what: str, problems: Sequence[str]) -> None:
    """End the program with all problems at once, if there are any."""
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise pulumi.RunError(f"{what}, nothing was touched:\n{lines}")


def _said(finding: Finding) -> str:
    return f"{finding.name}: {finding.seen}, wanted is {finding.wanted}; {finding.cure}"


def build(plan: Plan, config: StackConfig) -> Synapse:
    """Register the stack."""
    return Synapse(
        "synapse",
        SynapseArgs(
            plan=plan,
            target=config.settings.target,
            secrets=Secrets(
                hf_token=config.hf_token,
                gateway_key=config.gateway_key,
                gateway_previous_key=config.gateway_previous_key,
                handling=_handling(config.settings.target),
            ),
            build_command=_build_command(config.settings, plan),
        ),
    )


def _handling(target: Target) -> Apply | Omit | Seal:
    """Secrets in clear text never go into a rendered file."""
    if target.kind is not TargetKind.RENDER:
        return Apply()
    if target.secrets == "sealed" and target.sealing_certificate:
        return Seal(target.sealing_certificate)
    return Omit()


def _build_command(settings: Settings, plan: Plan) -> str | None:
    """The command line that builds and pushes the engine's image."""
    build = settings.engine.build
    if build is None or settings.target.kind is TargetKind.RENDER:
        return None
    commands = build_commands(plan.engine, build.tool, Path(build.context).expanduser())
    return " && ".join(map(shlex.join, commands))
