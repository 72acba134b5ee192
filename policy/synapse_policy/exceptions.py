"""Exceptions: a violation that somebody answers for is silent until its day is over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from pulumi_policy import ReportViolation
from pulumi_policy.proxy import UnknownValueError

from synapse_policy.reading import Props, UnreadableError, child, text
from synapse_policy.rule_config import RuleException


@dataclass(frozen=True)
class Subject:
    """Whom a violation is about, by all the names that an exception may call it."""

    urn: str | None
    names: tuple[str, ...]

    def is_called(self, pattern: str) -> bool:
        """Whether a URN or `Kind/namespace/name`, with `*` and `?`, means it."""
        return any(fnmatchcase(name, pattern) for name in self.names)


STACK = Subject(None, ("stack",))
"""The whole stack, of which no single resource is the culprit."""


def subject_of(urn: str, resource_type: str, props: Props) -> Subject:
    """Return the subject that a resource is; an unknown name leaves its URN."""
    try:
        metadata = child(props, "metadata")
        namespace, name = text(metadata, "namespace"), text(metadata, "name")
    except (UnknownValueError, UnreadableError):
        return Subject(urn, (urn,))
    parts = (resource_type.rpartition(":")[2], namespace, name or urn.rpartition("::")[2])
    return Subject(urn, (urn, "/".join(part for part in parts if part)))


class Use(NamedTuple):
    """An exception and the rule that it is from."""

    rule: str
    exception: RuleException


class Silenced(NamedTuple):
    """A violation that an exception answers for; without URN it is the whole stack's."""

    use: Use
    urn: str | None
    message: str


_given: dict[Use, None] = {}
_silenced: dict[Silenced, None] = {}


def silenced() -> tuple[Silenced, ...]:
    """Return the violations that exceptions have answered for so far."""
    return tuple(_silenced)


def idle() -> tuple[Use, ...]:
    """Return the exceptions that still hold and have answered for nothing so far."""
    at_work = {one.use for one in _silenced}
    return tuple(use for use in _given if use not in at_work and not _is_over(use.exception))


def today() -> date:
    """Return the day by which exceptions end."""
    return datetime.now(UTC).date()


class Desk:
    """Takes the violations of one rule, and lets pass what an exception answers for."""

    def __init__(
        self,
        rule: str,
        exceptions: Sequence[RuleException],
        report: ReportViolation,
        subject_at: Callable[[str | None], Subject],
        with_words: Callable[[str], str],
    ) -> None:
        self._uses = [Use(rule, one) for one in exceptions]
        self._report = report
        self._subject_at = subject_at
        self._with_words = with_words
        _given.update(dict.fromkeys(self._uses))

    def __call__(self, message: str, urn: str | None = None) -> None:
        """Report one violation, unless an exception that still holds is for its subject."""
        if self._uses:
            subject = self._subject_at(urn)
            for use in self._uses:
                if subject.is_called(use.exception.resource) and not _is_over(use.exception):
                    _silenced[Silenced(use, subject.urn, message)] = None
                    return
        self._report(self._with_words(message), urn)

    def report_expired(self) -> None:
        """Report the exceptions whose day is over."""
        for rule, exception in self._uses:
            if _is_over(exception):
                self._report(
                    f"the exception of rule {rule!r} for {exception.resource!r} ended on "
                    f"{exception.until}; its owner {exception.owner} has to put the matter right "
                    f"and remove it, or to give a new date (its reason was: {exception.reason})",
                    None,
                )


def _is_over(exception: RuleException) -> bool:
    return today() > exception.until
