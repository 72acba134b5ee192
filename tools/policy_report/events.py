"""What the engine says, line by line, of a preview or of an analysis of exported state."""

import json
from collections.abc import Iterable, Mapping

from tools.policy_report.errors import PolicyRunError
from tools.policy_report.judgement import Judgement, RuleWords, Severity, Violation, own_words

_TOLD_OF_A_FAILURE = 4000


def read_events(status: int, output: str, problems: str, rules: Iterable[RuleWords]) -> Judgement:
    """Return what the pack found.

    Args:
        status: the engine's exit status.
        output: its events, one JSON object a line.
        problems: what it wrote to stderr.
        rules: those of the pack.

    Raises:
        PolicyRunError: the engine failed for another reason, or the pack judged nothing.
    """
    by_name = {rule.name: rule for rule in rules}
    violations: dict[Violation, None] = {}
    errors: list[str] = []
    judged = False
    for line in output.splitlines():
        event = _event(line)
        if event is None:
            errors.append(line)
        elif "policyEvent" in event:
            violations[_violation(event["policyEvent"], by_name)] = None
        elif "diagnosticEvent" in event and event["diagnosticEvent"].get("severity") == "error":
            errors.append(str(event["diagnosticEvent"]["message"]).strip())
        elif "summaryEvent" in event:
            judged = bool(event["summaryEvent"].get("PolicyPacks"))
    judgement = Judgement(tuple(by_name.values()), tuple(violations))
    if not judgement.refused and (status or not judged):
        said = "\n".join(filter(None, [*errors, problems.strip()]))
        raise PolicyRunError(f"the engine has judged nothing:\n{said[-_TOLD_OF_A_FAILURE:]}")
    return judgement


def _event(line: str) -> Mapping[str, dict[str, object]] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _violation(event: Mapping[str, object], rules: Mapping[str, RuleWords]) -> Violation:
    name = str(event["policyName"])
    description = rules[name].description if name in rules else ""
    urn = str(event.get("resourceUrn", ""))
    return Violation(
        rule=name,
        severity=Severity.ADVISORY
        if event["enforcementLevel"] == Severity.ADVISORY
        else Severity.MANDATORY,
        resource="" if "::pulumi:pulumi:Stack::" in urn else urn,
        message=own_words(str(event["message"]), description),
    )
