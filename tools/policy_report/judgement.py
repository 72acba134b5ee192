"""What was judged, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_PARTS = ("\n  why: ", "\n  cure: ")


class Severity(StrEnum):
    """What a violation does to a deployment."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"


@dataclass(frozen=True)
class RuleWords:
    """A rule as the reports name it."""

    name: str
    description: str
    reason: str
    cure: str


@dataclass(frozen=True)
class Violation:
    """One thing that a rule has found.

    Attributes:
        rule: its name.
        resource: the URN; empty for the whole stack.
        message: what is wrong, in the rule's words, without its reason and general cure.
    """

    rule: str
    severity: Severity
    resource: str
    message: str

    @property
    def subject(self) -> str:
        """The resource in short: `Deployment engine` of a URN."""
        if not self.resource:
            return "the stack"
        *_, types, name = self.resource.split("::")
        return f"{types.rpartition('$')[2].rpartition(':')[2]} {name}"


@dataclass(frozen=True)
class Judgement:
    """The rules that judged, and what they found; the same thing is found once."""

    rules: Sequence[RuleWords]
    violations: Sequence[Violation]

    @property
    def refused(self) -> bool:
        """Whether a mandatory rule found something."""
        return any(one.severity is Severity.MANDATORY for one in self.violations)

    def of_rule(self, name: str) -> list[Violation]:
        """What one rule found."""
        return [one for one in self.violations if one.rule == name]


def own_words(message: str, description: str) -> str:
    """Return a message without what the rule says of itself: its description, reason and cure."""
    text = message.strip().removeprefix(description).strip()
    for part in _PARTS:
        text = text.partition(part)[0]
    return text
