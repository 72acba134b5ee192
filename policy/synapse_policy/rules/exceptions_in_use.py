"""Exceptions stay visible: what they silence, and those that silence nothing any more."""

from pulumi_policy import EnforcementLevel, StackValidationArgs

from synapse_policy.exceptions import idle, silenced
from synapse_policy.judging import Report, stack_rule


def check(args: StackValidationArgs, report: Report) -> None:  # noqa: ARG001  a rule's signature
    """Report what the rules before this one have let pass; so it has to be the last."""
    for use, urn, message in silenced():
        report(
            f"{use.exception.owner} answers until {use.exception.until} for what rule "
            f"{use.rule!r} says: {message} (reason: {use.exception.reason})",
            urn,
        )
    for rule, exception in idle():
        report(
            f"the exception of rule {rule!r} for {exception.resource!r} ({exception.owner}, until "
            f"{exception.until}) matches no violation"
        )


RULES = (
    stack_rule(
        name="exceptions-in-use",
        description="Violations that an exception silences, and exceptions that silence nothing.",
        reason=(
            "An exception that nobody sees is forgotten, and one that matches nothing hides a "
            "violation to come."
        ),
        cure="Put right what is excepted; remove an exception that matches nothing.",
        check=check,
        severity=EnforcementLevel.ADVISORY,
    ),
)
