"""How a check becomes a mandatory rule that fails closed."""

from collections.abc import Callable
from typing import Protocol

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from synapse_policy.reading import UnreadableError


class Report(Protocol):
    """Where a check puts its violations; `urn` names the culprit to a stack rule."""

    def __call__(self, message: str, urn: str | None = None) -> None:
        """Report one violation."""


ResourceCheck = Callable[[ResourceValidationArgs, Report], None]
StackCheck = Callable[[StackValidationArgs, Report], None]


def resource_rule(name: str, description: str, check: ResourceCheck) -> ResourceValidationPolicy:
    """Make a mandatory rule that judges one resource before it is created."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        _closed(
            f"{args.resource_type} {args.name!r}",
            lambda: check(args, _optional_urn(report)),
            report,
        )

    return ResourceValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
    )


def stack_rule(name: str, description: str, check: StackCheck) -> StackValidationPolicy:
    """Make a mandatory rule that judges all resources of the stack together."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        _closed("the stack", lambda: check(args, _optional_urn(report)), report)

    return StackValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
    )


def _optional_urn(report: ReportViolation) -> Report:
    def with_optional_urn(message: str, urn: str | None = None) -> None:
        report(message, urn)

    return with_optional_urn


def _closed(subject: str, judge: Callable[[], None], report: ReportViolation) -> None:
    """Report what cannot be judged: left to the SDK, an unknown value turns a rule advisory."""
    try:
        judge()
    except UnknownValueError as unknown:
        report(
            f"{subject} cannot be judged: {unknown.message}, and an unproven value counts as a "
            "violation; give it as a plain value, not as another resource's output",
            None,
        )
    except UnreadableError as unreadable:
        report(f"{subject} cannot be judged: {unreadable}", None)
