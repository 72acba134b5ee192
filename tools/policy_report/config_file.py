"""The file for `--policy-pack-config`, checked as a whole before anything runs."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tools.policy_report.errors import PolicyRunError
from tools.policy_report.pack import pack_rules

if TYPE_CHECKING:
    from synapse_policy.judging import Rule

_ALL = "all"
_OF_THE_ENGINE = "environments"
_LEVEL = "enforcementLevel"
_LEVELS = ("mandatory", "advisory", "disabled", "remediate")


def check_config_file(path: Path) -> None:
    """Refuse a file with anything wrong in it.

    The engine itself passes over the name of a rule that does not exist, and the pack sees only the
    settings of one rule at a time.

    Raises:
        PolicyRunError: with every problem of the file.
    """
    problems = config_problems(_document(path), pack_rules())
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise PolicyRunError(f"{count} in the pack's config {path}:\n{listed}")


def config_problems(document: Mapping[str, object], rules: Sequence["Rule"]) -> list[str]:
    """Return all that is wrong with a config, a line each."""
    by_name = {rule.name: rule for rule in rules}
    problems: list[str] = []
    for name, given in document.items():
        if name == _OF_THE_ENGINE:
            continue
        if name != _ALL and name not in by_name:
            close = difflib.get_close_matches(name, by_name, n=1)
            meant = f"; did you mean {close[0]}" if close else "; docs/policies.md lists them"
            problems.append(f"{name}: the pack has no such rule{meant}")
            continue
        problems += [f"{name}: {problem}" for problem in _of_rule(given, by_name.get(name))]
    return problems


def _of_rule(given: object, rule: "Rule | None") -> list[str]:
    from synapse_policy.rule_config import read_config  # noqa: PLC0415  found after pack_rules()

    if isinstance(given, str):
        return _level(given)
    if not isinstance(given, dict):
        return [f"{given!r} is neither a severity nor a section of settings"]
    problems = _level(given[_LEVEL]) if _LEVEL in given else []
    settings = {key: value for key, value in given.items() if key != _LEVEL}
    if rule is None:
        return problems + ([f"only {_LEVEL} may be set for all rules"] if settings else [])
    read = read_config(settings, rule.about.settings)
    return problems + ([read] if isinstance(read, str) else [])


def _level(given: object) -> list[str]:
    if given in _LEVELS:
        return []
    return [f"{given!r} is no severity; write {', '.join(_LEVELS[:3])}"]


def _document(path: Path) -> Mapping[str, object]:
    try:
        document = json.loads(path.read_text(encoding="utf-8") or "{}")
    except OSError as error:
        raise PolicyRunError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise PolicyRunError(f"{path} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise PolicyRunError(f"{path} holds no settings by rule; write {{}} for none")
    return document
