"""Prometheus keeps what it has seen for a week at least."""

import re

from pulumi_policy import ResourceValidationArgs
from pydantic import BaseModel, ConfigDict, Field

from synapse_policy.judging import Report, resource_rule
from synapse_policy.objects import objects_in
from synapse_policy.reading import UnreadableError, text
from synapse_policy.recognised import workloads_in

_FLAGS = ("--storage.tsdb.retention.time", "--storage.tsdb.retention")
_OPERATORS_DEFAULT = "24h"
"""What the operator tells a Prometheus whose resource has no retention."""
_HOURS = {"y": 8760.0, "w": 168.0, "d": 24.0, "h": 1.0, "m": 1 / 60, "s": 1 / 3600, "ms": 0.0}
_DURATION = re.compile(r"(?:\d+(?:y|w|d|h|ms|m|s))+")
_PART = re.compile(r"(\d+)(y|w|d|h|ms|m|s)")


class Retention(BaseModel):
    """How long is long enough."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_days: int = Field(7, ge=1, description="days that Prometheus has to keep at least")


def check(args: ResourceValidationArgs, report: Report, settings: Retention) -> None:
    """Judge the operator's resource, and every container that is told a retention."""
    for one in objects_in(args):
        if one.is_a("Prometheus", "monitoring.coreos.com"):
            stated = text(one.spec, "retention")
            if stated is None and one.is_patch:
                continue
            shown = stated or f"not set, which is {_OPERATORS_DEFAULT}"
            where = f"{one.label}: spec.retention"
            _judge(where, stated or _OPERATORS_DEFAULT, shown, settings, report)
    for workload in workloads_in(args):
        for container in workload.readable_containers:
            if container.shown_command_line.has(*_FLAGS):
                stated = container.command_line.value(*_FLAGS) or ""
                where = f"container {container.name!r} of {workload.label}: {_FLAGS[0]}"
                _judge(where, stated, stated, settings, report)


def _judge(where: str, duration: str, shown: str, settings: Retention, report: Report) -> None:
    if not _DURATION.fullmatch(duration):
        raise UnreadableError(f"{where} is {duration!r}; write a duration such as 15d")
    hours = sum(int(count) * _HOURS[unit] for count, unit in _PART.findall(duration))
    least_hours = settings.min_days * 24
    if hours < least_hours:
        report(
            f"{where} is {shown}, {hours:g} h < {least_hours} h ({settings.min_days} days); set to "
            f"{settings.min_days}d or more, and its volume to what that takes"
        )


RULES = (
    resource_rule(
        name="prometheus-retention",
        description="Prometheus keeps its data for 7 days or more.",
        reason=(
            "A leak that grows for days, or what happened at the weekend, is seen only in data "
            "that is still there; the operator's default is one day."
        ),
        cure="Set the Prometheus's spec.retention (--storage.tsdb.retention.time) to 7d or more.",
        check=check,
        settings=Retention,
    ),
)
