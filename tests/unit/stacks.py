"""The forge's config with changes, and the plan of it, for the tests of the plan."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import yaml

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.plan.model import Plan, Verdict
from synapse.settings.load import parse, without_prefix

FORGE = Path(__file__).parents[2] / "Pulumi.forge.yaml"
FILE = without_prefix(yaml.safe_load(FORGE.read_text(encoding="utf-8"))["config"])
CONCURRENT = {"sharing": "concurrent"}
ACKNOWLEDGED = {"by": "the operator", "date": "2026-11-22"}


def acknowledged(config: Mapping[str, object]) -> dict[str, object]:
    """A config whose operator has acknowledged the licence of XTTS."""
    found = deepcopy(dict(config))
    speech = found.setdefault("speech", {})
    assert isinstance(speech, dict)
    speech.setdefault("tts", {})["licence_acknowledged"] = ACKNOWLEDGED
    return found


CONFIG = acknowledged(FILE)
"""The forge's file, and the one thing that only its operator can say."""

Changes = Mapping[str, object]


def forge(**sections: object) -> dict[str, object]:
    """The forge's config; of a section, only the given keys change. A list is replaced.

    Of `speech`, whose sections are nested, each section is changed by itself.
    """
    config = deepcopy(CONFIG)
    for name, change in sections.items():
        known = config.get(name)
        if name == "speech" and isinstance(known, dict) and isinstance(change, dict):
            config[name] = {
                key: _merged(known.get(key), change.get(key, {})) for key in {**known, **change}
            }
        elif isinstance(known, dict) and isinstance(change, dict):
            config[name] = {
                key: value for key, value in {**known, **change}.items() if value is not None
            }
        else:
            config[name] = change
    return config


def _merged(known: object, change: object) -> object:
    if not (isinstance(known, dict) and isinstance(change, dict)):
        return change
    return {key: value for key, value in {**known, **change}.items() if value is not None}


def plan_of(config: Mapping[str, object]) -> Plan:
    """The plan of a config."""
    return make_plan(parse(config), load_catalogue())


def plan(**sections: object) -> Plan:
    """The plan of the forge with changes."""
    return plan_of(forge(**sections))


def verdicts(made: Plan, rule: str) -> list[Verdict]:
    """All verdicts of one rule."""
    return [one for one in made.verdicts if one.rule == rule]


def verdict(made: Plan, rule: str, scope: str = "") -> Verdict:
    """The one verdict of a rule whose scope holds this text."""
    (found,) = [one for one in verdicts(made, rule) if scope in one.scope]
    return found
