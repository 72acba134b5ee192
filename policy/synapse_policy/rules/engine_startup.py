"""An engine gets the time that its first start takes, from the kubelet and from Pulumi."""

from pulumi_policy import ResourceValidationArgs
from pydantic import BaseModel, ConfigDict, Field

from synapse_policy.containers import Container
from synapse_policy.judging import Report, resource_rule
from synapse_policy.reading import UnreadableError, child, number, text
from synapse_policy.recognised import workloads_in
from synapse_policy.workload import Workload

_PERIOD_SECONDS, _FAILURES = 10, 3
"""Kubernetes' defaults of a probe."""
_AWAITED = ("Deployment", "StatefulSet", "DaemonSet", "Pod")
_AWAIT_SECONDS = 600
"""How long Pulumi's Kubernetes provider waits where nobody says anything."""
_SKIP, _TIMEOUT = "pulumi.com/skipAwait", "pulumi.com/timeoutSeconds"


class EngineStartup(BaseModel):
    """How long a first start may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_seconds: int = Field(
        1800, ge=1, description="the least that an engine's startup probe has to give"
    )


def check(args: ResourceValidationArgs, report: Report, settings: EngineStartup) -> None:
    """Judge the startup probe of every engine, and how long Pulumi waits for it."""
    for workload in workloads_in(args):
        for engine in workload.engines:
            probe = child(engine.props, "startupProbe")
            if workload.is_patch and not probe:
                continue
            given_seconds = _judge_probe(workload, engine, settings.least_seconds, report)
            if workload.resource_type == args.resource_type and not workload.is_patch:
                _judge_wait(args, workload, max(given_seconds, settings.least_seconds), report)


def _judge_probe(
    workload: Workload, engine: Container, least_seconds: int, report: Report
) -> float:
    subject = f"container {engine.name!r} of {workload.label}"
    cure = f"set startupProbe with failureThreshold {-(-least_seconds // 30)} and periodSeconds 30"
    probe = child(engine.props, "startupProbe")
    if not probe:
        report(f"{subject} has no startupProbe, so a liveness probe ends it while it loads; {cure}")
        return 0
    delay = number(probe, "initialDelaySeconds") or 0
    period = number(probe, "periodSeconds") or _PERIOD_SECONDS
    failures = number(probe, "failureThreshold") or _FAILURES
    given_seconds = delay + period * failures
    if given_seconds < least_seconds:
        terms = f"{failures:.0f} × {period:.0f}" + (f" + {delay:.0f}" if delay else "")
        report(
            f"{subject} has {terms} = {given_seconds:.0f} s for its start (startupProbe) < "
            f"{least_seconds} s; {cure}"
        )
    return given_seconds


def _judge_wait(
    args: ResourceValidationArgs, workload: Workload, probe_seconds: float, report: Report
) -> None:
    annotations = child(child(args.props, "metadata"), "annotations")
    if workload.kind not in _AWAITED or text(annotations, _SKIP) == "true":
        return
    annotated = text(annotations, _TIMEOUT)
    if annotated is not None and not annotated.isdecimal():
        raise UnreadableError(f"{_TIMEOUT} is {annotated!r}; write seconds as a whole number")
    otherwise = float(annotated or _AWAIT_SECONDS)
    timeouts = args.opts.custom_timeouts
    for action, stated in (
        ("create", timeouts.create_seconds),
        ("update", timeouts.update_seconds),
    ):
        waited_seconds = stated or otherwise
        if waited_seconds < probe_seconds:
            report(
                f"Pulumi waits {waited_seconds:.0f} s for the {action} of {workload.label} < "
                f"{probe_seconds:.0f} s, what its startup probe gives; set custom_timeouts "
                f'{action}="{probe_seconds + _AWAIT_SECONDS:.0f}s"'
            )


RULES = (
    resource_rule(
        name="engine-startup",
        description=(
            "An engine's startup probe gives it 30 minutes, and Pulumi waits as long as the probe."
        ),
        reason=(
            "A first start downloads or reads tens of GiB and compiles kernels: a shorter probe "
            "restarts the engine for ever, and a shorter wait fails an update that would succeed."
        ),
        cure="Set failureThreshold × periodSeconds to 1800 or more, and custom_timeouts above it.",
        check=check,
        settings=EngineStartup,
    ),
)
