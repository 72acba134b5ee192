"""What `make policy` makes of the engine's events: a judgement, SARIF, JUnit, exit states."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from rich.console import Console

from tools.policy_report.command import Reports, tell
from tools.policy_report.config_file import check_config_file, config_problems
from tools.policy_report.errors import PolicyRunError
from tools.policy_report.events import read_events
from tools.policy_report.judgement import Judgement, RuleWords, Severity, Violation
from tools.policy_report.junit import junit
from tools.policy_report.locate import Place, Places
from tools.policy_report.pack import pack_rules
from tools.policy_report.sarif import sarif

RULES = (
    RuleWords("fits", "It fits.", "Else it breaks.", "Make it smaller."),
    RuleWords("wish", "It is pinned.", "Else it moves.", "Pin it."),
)
URN = "urn:pulumi:dev::app::synapse:stack:Synapse$kubernetes:apps/v1:Deployment::engine"
STACK_URN = "urn:pulumi:dev::app::pulumi:pulumi:Stack::app-dev"
SUMMARY = {"summaryEvent": {"PolicyPacks": {"synapse": "0.1.0"}}}
MESSAGE = "It fits.\n31 > 30 GiB; lower engine.max_model_len\n  why: Else.\n  cure: Make it.\n"
STACK_FILE = """\
config:
  synapse:phase: 3
  synapse:engine:
    gpu_memory_utilization: 0.9
  synapse:gpu:
    budget_gib: 30
"""

# The parts of SARIF 2.1.0 (OASIS, sections 3.13 to 3.52) that a log of ours has, and nothing else.
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_CLOSED = {"type": "object", "additionalProperties": False}
_SARIF = {
    **_CLOSED,
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                **_CLOSED,
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        **_CLOSED,
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                **_CLOSED,
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            **_CLOSED,
                                            "required": ["id"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": _TEXT,
                                                "fullDescription": _TEXT,
                                                "help": _TEXT,
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            **_CLOSED,
                            "required": ["message"],
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": _TEXT,
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        **_CLOSED,
                                        "properties": {
                                            "physicalLocation": {
                                                **_CLOSED,
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        **_CLOSED,
                                                        "properties": {"uri": {"type": "string"}},
                                                    },
                                                    "region": {
                                                        **_CLOSED,
                                                        "properties": {
                                                            "startLine": {
                                                                "type": "integer",
                                                                "minimum": 1,
                                                            }
                                                        },
                                                    },
                                                },
                                            },
                                            "logicalLocations": {
                                                "type": "array",
                                                "items": {
                                                    **_CLOSED,
                                                    "properties": {
                                                        "name": {"type": "string"},
                                                        "fullyQualifiedName": {"type": "string"},
                                                        "kind": {"type": "string"},
                                                    },
                                                },
                                            },
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def _policy_event(
    rule: str = "fits", level: str = "mandatory", message: str = MESSAGE, urn: str = URN
) -> dict[str, object]:
    return {
        "policyEvent": {
            "policyName": rule,
            "enforcementLevel": level,
            "message": message,
            "resourceUrn": urn,
        }
    }


def _read(*events: object, status: int = 0, problems: str = "") -> Judgement:
    output = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in events)
    return read_events(status, output, problems, RULES)


@pytest.fixture
def judgement() -> Judgement:
    return _read(
        _policy_event(),
        _policy_event("wish", "advisory", "It is pinned.\nno digest", STACK_URN),
        SUMMARY,
        status=1,
    )


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.chdir(tmp_path)
    stack_file = Path("Pulumi.dev.yaml")
    stack_file.write_text(STACK_FILE)
    return Places(stack_file, Path("Pulumi.yaml"))


# ---- events ------------------------------------------------------------------------------------


def test_a_violation_has_its_rules_own_words_and_its_resource(judgement: Judgement) -> None:
    assert judgement.violations[0] == Violation(
        "fits", Severity.MANDATORY, URN, "31 > 30 GiB; lower engine.max_model_len"
    )
    assert judgement.violations[0].subject == "Deployment engine"
    assert judgement.violations[1].subject == "the stack"
    assert judgement.refused


def test_what_is_said_twice_is_one_violation() -> None:
    assert len(_read(_policy_event(), _policy_event(), SUMMARY, status=1).violations) == 1


def test_advice_alone_refuses_nothing() -> None:
    assert not _read(_policy_event(level="advisory"), SUMMARY).refused


def test_a_rule_that_the_reports_do_not_know_is_told_all_the_same() -> None:
    assert _read(_policy_event("new"), SUMMARY, status=1).violations[0].rule == "new"


def test_an_engine_that_fails_for_another_reason_has_judged_nothing() -> None:
    diagnostic = {"diagnosticEvent": {"severity": "error", "message": "no such stack\n"}}
    with pytest.raises(PolicyRunError, match="no such stack"):
        _read(diagnostic, SUMMARY, status=255)
    with pytest.raises(PolicyRunError, match="wrong passphrase"):
        _read(status=255, problems="error: wrong passphrase")
    with pytest.raises(PolicyRunError, match="not JSON"):
        _read("this is not JSON", status=1)


def test_a_run_without_the_pack_has_judged_nothing() -> None:
    with pytest.raises(PolicyRunError):
        _read({"summaryEvent": {"PolicyPacks": {}}})
    with pytest.raises(PolicyRunError):
        _read()


# ---- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("too much; lower engine.gpu_memory_utilization", Place("Pulumi.dev.yaml", 4)),
        # The cure comes first, and a key that the file leaves out stands for its section.
        (
            "budget (gpu.budget_gib); lower engine.gpu_memory_utilization",
            Place("Pulumi.dev.yaml", 4),
        ),
        ("too much; lower engine.max_model_len", Place("Pulumi.dev.yaml", 3)),
        ("set spec.replicas to 1", Place("Pulumi.yaml", 1)),
        ("image:1.2.3 has no digest", Place("Pulumi.yaml", 1)),
    ],
)
def test_a_message_is_traced_to_its_line(places: Places, message: str, expected: Place) -> None:
    assert places.of(message) == expected


def test_without_a_stack_file_the_project_is_named(tmp_path: Path) -> None:
    places = Places(tmp_path / "Pulumi.none.yaml", tmp_path / "Pulumi.yaml")
    assert places.of("lower engine.max_model_len").path.endswith("Pulumi.yaml")


# ---- reports -----------------------------------------------------------------------------------


def _results(judgement: Judgement, places: Places) -> list[dict[str, Any]]:
    log: Any = sarif(judgement, places, "0.1.0")
    jsonschema.validate(log, _SARIF)
    results: list[dict[str, Any]] = log["runs"][0]["results"]
    return results


def test_sarif_names_rule_line_and_resource(judgement: Judgement, places: Places) -> None:
    first, second = _results(judgement, places)
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("fits", 0, "error")
    assert (second["ruleId"], second["ruleIndex"], second["level"]) == ("wish", 1, "warning")
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "Pulumi.dev.yaml"},
        "region": {"startLine": 3},
    }
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == URN


def test_a_fingerprint_stays_when_a_figure_moves(places: Places) -> None:
    found = [
        _results(_read(_policy_event(message=message, urn=urn), SUMMARY, status=1), places)[0][
            "partialFingerprints"
        ]
        for message, urn in (
            ("31.2 > 30 GiB", URN),
            ("32.8 > 30 GiB", URN),
            ("no limit", URN),
            ("31.2 > 30 GiB", STACK_URN),
        )
    ]
    assert found[0] == found[1]
    assert len({str(one) for one in found}) == 3


def test_a_clean_log_has_its_rules_and_no_result(places: Places) -> None:
    assert _results(_read(SUMMARY), places) == []


def test_junit_has_a_case_a_rule(judgement: Judgement) -> None:
    suite = Xml.fromstring(junit(judgement))[0]  # noqa: S314  our own text
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "1"
    fits, wish = suite
    failure = fits.find("failure")
    assert failure is not None
    assert "31 > 30 GiB" in str(failure.text)
    assert wish.find("failure") is None
    assert "no digest" in str(wish.findtext("system-out"))


def test_junit_can_say_what_xml_cannot() -> None:
    strange = _read(_policy_event(message="<a> & \x1b[31m"), SUMMARY, status=1)
    failure = Xml.fromstring(junit(strange)).find(".//failure")  # noqa: S314  our own text
    assert failure is not None
    assert "<a> & [31m" in str(failure.text)


def test_the_table_shows_messages_as_they_are(judgement: Judgement, places: Places) -> None:
    out = Console(record=True, width=200)
    marked = _read(_policy_event(message="[red]loud[/red]"), SUMMARY, status=1)
    for one in (judgement, marked, _read(SUMMARY)):
        tell(one, places, Reports(), out)
    shown = out.export_text()
    assert "[red]loud[/red]" in shown
    assert "refused: 1 mandatory and 1 advisory violations, 2 rules" in shown
    assert "passed: no violations, 2 rules" in shown


def test_reports_are_written_where_they_are_wanted(
    judgement: Judgement, places: Places, tmp_path: Path
) -> None:
    reports = Reports(tmp_path / "new" / "a.sarif", tmp_path / "b.xml")
    tell(judgement, places, reports, Console(record=True))
    assert reports.sarif is not None
    jsonschema.validate(json.loads(reports.sarif.read_text()), _SARIF)
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(PolicyRunError, match="cannot be written"):
        tell(judgement, places, Reports(taken / "a.sarif"), Console(record=True))


# ---- the pack's config -------------------------------------------------------------------------


def test_a_good_config_has_no_problems() -> None:
    good = {
        "all": "advisory",
        "environments": ["a"],
        "never-pull-never": "mandatory",
        "gpu-count": {"enforcementLevel": "disabled", "gpu_count": 2},
    }
    assert config_problems(good, pack_rules()) == []


def test_every_problem_of_a_config_is_told(tmp_path: Path) -> None:
    file = tmp_path / "pack.json"
    bad = {
        "never-pull-nver": "mandatory",
        "disk": "strict",
        "ram-sum": 3,
        "all": {"gpu_count": 2},
        "gpu-count": {"enforcementLevel": "no", "gpu_count": 0, "exceptions": [{}]},
    }
    file.write_text(json.dumps(bad))
    with pytest.raises(PolicyRunError) as refused:
        check_config_file(file)
    said = str(refused.value)
    assert said.startswith("6 problems in the pack's config")
    for words in (
        "never-pull-nver: the pack has no such rule; did you mean never-pull-never",
        "disk: 'strict' is no severity",
        "ram-sum: 3 is neither",
        "all: only enforcementLevel",
        "gpu-count: 'no' is no severity",
        "exceptions[0].owner: Field required",
        "gpu_count: Input should be greater",
    ):
        assert words in said


@pytest.mark.parametrize(("text", "problem"), [("{", "is no JSON"), ("[]", "no settings by rule")])
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "pack.json"
    file.write_text(text)
    with pytest.raises(PolicyRunError, match=problem):
        check_config_file(file)
    with pytest.raises(PolicyRunError, match="cannot be read"):
        check_config_file(tmp_path / "none.json")
