"""Reads the mutations, applies them, and judges what comes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pulumi_policy import EnforcementLevel
from pydantic import Field
from synapse_policy.pack import POLICIES

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.settings.load import parse, without_prefix
from tests.policy.changes import Json
from tests.policy.good_stack import forge_config, good_stack, stack_of
from tests.policy.judge_sets import judge_set
from tests.policy.resource_sets import Resources, Variation, varied

FOLDER = Path(__file__).parent
_NAMESPACE = "llm-infra"
_MANDATORY = {one.name for one in POLICIES if one.enforcement_level is EnforcementLevel.MANDATORY}


class Mutation(Variation):
    """One change that makes the stack bad."""

    group: str
    why: str = Field(min_length=5)
    """What is bad about it."""
    rule: str
    """Who must catch it; `none` where nobody can."""
    config: dict[str, Json | list[Json]] = Field(default_factory=dict)
    """Sections of the forge's config; of a mapping only the given keys change."""
    slips: str | None = None
    """Why no rule of a pack can see it."""

    @property
    def name(self) -> str:
        """The mutation in few words."""
        return f"{self.group}: {self.why}"

    @property
    def resources(self) -> Resources:
        """The stack with the mutation."""
        before = stack_of(self.whole_config) if self.config else good_stack()
        return varied(before, self, _NAMESPACE)

    @property
    def whole_config(self) -> Json:
        """The forge's config with the mutation."""
        config = forge_config()
        for name, wanted in self.config.items():
            key = f"synapse:{name}"
            before = config.get(key)
            if isinstance(before, dict) and isinstance(wanted, dict):
                config[key] = before | wanted
            else:
                config[key] = wanted
        return config


@dataclass(frozen=True)
class Outcome:
    """A mutation, and who refuses the stack for it: rules of the pack, verdicts of the program."""

    mutation: Mutation
    caught_by: tuple[str, ...]

    @property
    def is_caught(self) -> bool:
        """Whether its rule has caught it."""
        return self.mutation.rule in self.caught_by

    @property
    def is_as_listed(self) -> bool:
        """Whether it is caught, or listed with a reason, and then caught by nobody."""
        return not self.caught_by if self.mutation.slips else self.is_caught


def try_out(mutation: Mutation) -> Outcome:
    """Judge the stack with a mutation."""
    known = () if mutation.config else good_stack()
    found = (one.rule for one in judge_set(mutation.resources, known))
    caught_by = [rule for rule in found if rule in _MANDATORY]
    if mutation.config:
        caught_by += [f"program: {rule}" for rule in _refused_by_the_program(mutation)]
    return Outcome(mutation, tuple(dict.fromkeys(caught_by)))


def _refused_by_the_program(mutation: Mutation) -> list[str]:
    plan = make_plan(parse(without_prefix(mutation.whole_config)), load_catalogue())
    return [verdict.rule for verdict in plan.refusals(plan.phase)]


@cache
def mutations() -> tuple[Mutation, ...]:
    """Return all mutations."""
    return tuple(_read())


def _read() -> Iterator[Mutation]:
    groups = yaml.safe_load((FOLDER / "resources.yaml").read_text("utf-8"))
    groups["config"] = yaml.safe_load((FOLDER / "configs.yaml").read_text("utf-8"))
    for group, made in groups.items():
        for one in made:
            yield Mutation.model_validate({"group": group, **one})
