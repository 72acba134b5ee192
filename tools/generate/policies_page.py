"""docs/policies.md: the rules of the policy pack, what each is for, and what it answers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_policy import EnforcementLevel, StackValidationPolicy

from tools.generate import configuration_page
from tools.generate.traps import trap_sources, trap_tables
from tools.policy_report.pack import pack_rules

if TYPE_CHECKING:
    from synapse_policy.judging import Rule

_HEAD = """\
# The policy pack

The second lock: `pulumi preview --policy-pack policy` derives its verdicts from the resources that
it is shown, by formulas of its own, and compares them with the plan. A rule whose name ends in
`-deployed` looks at all resources together; the others refuse a resource at its registration, so
that nothing below it is created, also with `--skip-preview`.

This page is made by `python -m tools.generate` from the pack; do not edit it.

## Use

- `pulumi preview --policy-pack policy`, or `up`, of this program or of any other. A program without
  a Synapse root is judged by what each resource shows by itself, and by the budgets of the config.
- `make policy STACK=forge`: the same for CI, with a table, `SARIF=file` and `JUNIT=file`. The
  stack file is judged from nothing, by a copy: no login, cluster or passphrase. Exit status 0:
  clean, 1: violations, 2: it could not be judged. `python -m tools policy --stack NAME --program
  DIR` judges a stack of your backend. [examples/ci](../examples/ci) has workflows to copy.
- `pulumi stack export --file state.json`, then `pulumi policy analyze --file state.json
  --policy-pack policy`, or `python -m tools policy --state state.json`: what is deployed.

## Config

`--policy-pack-config FILE` names a JSON file with settings by rule, such as
[examples/policy-pack-config.json](../examples/policy-pack-config.json). Each rule takes

- `enforcementLevel`: `mandatory`, `advisory` or `disabled`; `"all"` in place of a rule's name sets
  it for all of them;
- `exceptions`: a list of violations that somebody answers for, each with `resource` (a URN, or
  `Kind/namespace/name`, either with `*` and `?`; `stack` for what is said of the whole stack),
  `reason`, `owner` and `until`, the last day (UTC). An exception whose day is over is a violation
  itself. `exceptions-in-use` shows what is silenced, and what matches nothing;
- its own settings, in the tables below.

The engine refuses a value of the wrong type, and a rule one that it cannot use: it judges nothing
by a config that is wrong. `make policy PACK_CONFIG=file` says all that is wrong at once, also the
name of a rule that does not exist, over which the engine passes.

## Unknown values

In a preview the engine hands a value that is not known yet to the pack as unknown. A rule that
needs it reports a violation and stays mandatory; without that the SDK would make it advisory. In an
update the engine asks the pack when the value is there, before the resource is created, so that the
real value is judged. What the pack cannot read is a violation as well: a flag from a variable, a
model that the catalogue does not know.

## Rules

| rule | severity | what it holds |
|---|---|---|
"""
_TRAPS = """\

## Traps

What has gone wrong for others, or may go wrong here, and what holds it off.
"""


def policies_page() -> str:
    """Return the page."""
    rules = pack_rules()
    rows = (
        f"| [`{one.name}`](#{one.name}) | {_severity(one)} | {one.description} |" for one in rules
    )
    sections = (line for rule in rules for line in _section(rule))
    return "".join(
        (_HEAD, "\n".join(rows), "\n\n", "\n".join(sections), _TRAPS, trap_tables(), "\n")
    )


def _severity(rule: "Rule") -> str:
    return str((rule.enforcement_level or EnforcementLevel.ADVISORY).value)


def _section(rule: "Rule") -> Iterator[str]:
    judged = "the stack as a whole" if isinstance(rule, StackValidationPolicy) else "a resource"
    yield f"### {rule.name}\n"
    yield f"{rule.description}\n"
    yield f"- Why: {rule.about.reason}"
    yield f"- Cure: {rule.about.cure}"
    yield f"- Severity: {_severity(rule)}"
    yield f"- Judges {judged}: {rule.about.scope.value}."
    answered = ", ".join(
        trap.id for source in trap_sources() for trap in source.traps if rule.name in trap.rules
    )
    if answered:
        yield f"- Answers: {answered} ([traps](#traps))"
    if rule.about.settings.model_fields:
        yield f"\n{configuration_page.table(rule.about.settings)}"
    else:
        yield ""
