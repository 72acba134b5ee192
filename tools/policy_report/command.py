"""`python -m tools policy`: judge, print, and write what CI shows."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.settings.load import read_stack_file
from tools.policy_report.config_file import check_config_file
from tools.policy_report.errors import PolicyRunError
from tools.policy_report.events import read_events
from tools.policy_report.judgement import Judgement, RuleWords, Severity, Violation
from tools.policy_report.junit import junit
from tools.policy_report.locate import Places
from tools.policy_report.pack import pack_rules
from tools.policy_report.runs import EngineRun, of_backend, of_stack_file, of_state
from tools.policy_report.sarif import sarif
from tools.sim_stack import POLICY_PACK, REPOSITORY

_PLAN = "plan:"
_STYLES = {Severity.MANDATORY: "red", Severity.ADVISORY: "yellow"}


@dataclass(frozen=True)
class Reports:
    """Files to write; None: not that one."""

    sarif: Path | None = None
    junit: Path | None = None


def judge_stack_file(
    config: Path, phase: int | None, pack_config: Path | None, console: Console
) -> Judgement:
    """Judge this program with a stack file by both locks, from nothing and without a cluster.

    A plan that does not fit is what the program itself refuses, so that no resource is there to
    be judged: its refusals are the violations.

    Raises:
        SettingsError: the config is invalid.
        PolicyRunError: the pack's config is, or the engine fails.
    """
    settings = read_stack_file(config)
    wanted = phase or settings.phase
    refused = _plan_violations(config, wanted)
    if refused.refused:
        return refused
    return _judge(lambda: of_stack_file(config, wanted, console), pack_config, console)


def judge_backend(
    name: str, program: Path, pack_config: Path | None, console: Console
) -> Judgement:
    """Judge the preview of a stack on a backend; raises PolicyRunError as above."""
    return _judge(lambda: of_backend(name, program.absolute(), console), pack_config, console)


def judge_state(file: Path, pack_config: Path | None, console: Console) -> Judgement:
    """Judge exported state; raises PolicyRunError as above."""
    return _judge(lambda: of_state(file, console), pack_config, console)


def _judge(
    run: Callable[[], AbstractContextManager[EngineRun]],
    pack_config: Path | None,
    console: Console,
) -> Judgement:
    if pack_config is not None:
        check_config_file(pack_config)
    with run() as engine, console.status("judging"):
        done = engine.finish(pack_config)
    return read_events(done.returncode, done.stdout, done.stderr, _rules())


def _plan_violations(config: Path, phase: int) -> Judgement:
    settings = read_stack_file(config)
    plan = make_plan(settings.model_copy(update={"phase": phase}), load_catalogue())
    refusals = plan.refusals(phase)
    rules = {
        f"{_PLAN}{one.rule}": RuleWords(
            name=f"{_PLAN}{one.rule}",
            description="The plan fits the machine.",
            reason="What does not fit is refused before any resource is registered.",
            cure="`python -m synapse plan` shows every sum and its cure.",
        )
        for one in refusals
    }
    found = [
        Violation(
            f"{_PLAN}{one.rule}", Severity.MANDATORY, "", f"{one.scope}: {one.sum}; {one.cure}"
        )
        for one in refusals
    ]
    return Judgement(tuple(rules.values()), found)


def _rules() -> Iterator[RuleWords]:
    for rule in pack_rules():
        yield RuleWords(rule.name, rule.description, rule.about.reason, rule.about.cure)


def tell(judgement: Judgement, places: Places, reports: Reports, console: Console) -> None:
    """Print the table, and write the reports."""
    if reports.sarif:
        _write(reports.sarif, json.dumps(_sarif(judgement, places), indent=2) + "\n")
    if reports.junit:
        _write(reports.junit, junit(judgement))
    if judgement.violations:
        console.print(_table(judgement.violations))
    console.print(_summary(judgement), highlight=False)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PolicyRunError(f"{path} cannot be written: {error.strerror}") from None


def _sarif(judgement: Judgement, places: Places) -> dict[str, object]:
    project = yaml.safe_load(
        (REPOSITORY / POLICY_PACK / "PulumiPolicy.yaml").read_text(encoding="utf-8")
    )
    return sarif(judgement, places, str(project["version"]))


def _table(violations: Sequence[Violation]) -> Table:
    table = Table("rule", "severity", "resource", "message", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for one in sorted(violations, key=_order):
        severity = Text(one.severity, _STYLES[one.severity])
        table.add_row(one.rule, severity, Text(one.subject), Text(one.message))
    return table


def _order(one: Violation) -> tuple[bool, str, str, str]:
    return one.severity is Severity.ADVISORY, one.rule, one.subject, one.message


def _summary(judgement: Judgement) -> str:
    counts = [
        f"{count} {severity}"
        for severity in Severity
        if (count := sum(one.severity is severity for one in judgement.violations))
    ]
    verdict = "refused" if judgement.refused else "passed"
    found = " and ".join(counts) or "no"
    return f"{verdict}: {found} violations, {len(judgement.rules)} rules"
