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
CONFIG = without_prefix(yaml.safe_load(FORGE.read_text(encoding="utf-8"))["config"])

Changes = Mapping[str, object]


def forge(**sections: object) -> dict[str, object]:
    """The forge's config; of a section, only the given keys change. A list is replaced."""
    config = deepcopy(CONFIG)
    for name, change in sections.items():
        known = config.get(name)
        if isinstance(known, dict) and isinstance(change, dict):
            config[name] = {
                key: value for key, value in {**known, **change}.items() if value is not None
            }
        else:
            config[name] = change
    return config


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
