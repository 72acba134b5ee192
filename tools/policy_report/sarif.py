"""SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a pull request."""

import hashlib
import re
from collections.abc import Sequence

from tools.policy_report.judgement import Judgement, RuleWords, Severity, Violation
from tools.policy_report.locate import Places

Json = dict[str, object]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.MANDATORY: "error", Severity.ADVISORY: "warning"}
_FIGURES = re.compile(r"\d+(?:\.\d+)?")


def sarif(judgement: Judgement, places: Places, version: str) -> Json:
    """Return the log of one run."""
    rules = list(judgement.rules)
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "synapse-policy",
                        "semanticVersion": version,
                        "rules": [_rule(one) for one in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, rules, places) for one in judgement.violations],
            }
        ],
    }


def _rule(rule: RuleWords) -> Json:
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.description},
        "fullDescription": {"text": rule.reason},
        "help": {"text": f"{rule.reason}\n\n{rule.cure}"},
    }


def _result(violation: Violation, rules: Sequence[RuleWords], places: Places) -> Json:
    place = places.of(violation.message)
    result: Json = {
        "ruleId": violation.rule,
        "level": _LEVELS[violation.severity],
        "message": {"text": f"{violation.subject}: {violation.message}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.path},
                    "region": {"startLine": place.line},
                },
                "logicalLocations": [
                    {
                        "name": violation.subject,
                        "fullyQualifiedName": violation.resource or violation.subject,
                        "kind": "resource",
                    }
                ],
            }
        ],
        "partialFingerprints": {"synapse/v1": _fingerprint(violation)},
    }
    index = next((at for at, rule in enumerate(rules) if rule.name == violation.rule), None)
    return result if index is None else {**result, "ruleIndex": index}


def _fingerprint(violation: Violation) -> str:
    """The same matter keeps its fingerprint when a figure in its message moves."""
    words = _FIGURES.sub("#", violation.message)
    return hashlib.sha256(f"{violation.rule} {violation.resource} {words}".encode()).hexdigest()
