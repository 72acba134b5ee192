"""Reads the cases of the corpus."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, model_validator

from tests.policy.changes import Json
from tests.policy.good_stack import good_stack
from tests.policy.resource_sets import Resources, Variation, manifest, varied

FOLDER = Path(__file__).parent
_OURS = "synapse"
_NAMESPACE = "llm-infra"


class Case(Variation):
    """One small program.

    `names` is what the message has to hold; without it, the name of the first object that the
    case changes or adds.
    """

    case: str = Field(pattern=r"^[a-z0-9-]+$")
    why: str = Field(min_length=10)
    """What is bad about it, or what makes it worth to be passed."""
    like: str | None = None
    rule: str | None = None
    """Who must catch it; none: it is good."""
    also: tuple[str, ...] = ()
    """Whom the same fault concerns: the other lock, which compares the plan with the rest."""
    names: str | None = None
    config: dict[str, Json] = Field(default_factory=dict)
    """The pack's config by rule, where it is not the default one."""

    @model_validator(mode="after")
    def _names_its_culprit(self) -> Self:
        if self.rule and not self.culprit:
            raise ValueError("say in `names` whom the message has to name")
        return self

    @property
    def is_ours(self) -> bool:
        """Whether it has a root; a program has one at most."""
        return self.like == _OURS

    @property
    def is_alone(self) -> bool:
        """Whether it is previewed by itself: what it is judged by is not what others are."""
        return self.is_ours or bool(self.config)

    @property
    def culprit(self) -> str | None:
        """What the message has to hold."""
        if self.names:
            return self.names
        if self.change:
            return self.change[0].at.partition("/")[2]
        if self.objects:
            return str(self.objects[0]["metadata"].get("name"))
        return self.without[0].partition("/")[2] if self.without else None

    @property
    def resources(self) -> Resources:
        """All that it registers; each name begins with the case's, if it shares a program."""
        if self.is_ours:
            return varied(good_stack(), self, _NAMESPACE)
        prefix = f"{self.case}/"
        before = _case(self.like).manifests if self.like else ()
        like = tuple(manifest(made, self.case, prefix) for made in before)
        return varied(like, self, self.case, prefix)

    @property
    def manifests(self) -> tuple[Mapping[str, Any], ...]:
        """Those of a case that varies no other."""
        if self.like or self.change or self.without:
            raise ValueError(f"{self.case} is a variation, and cannot be varied")
        return self.objects


def good() -> list[Case]:
    """Return the cases that nobody may flag."""
    return [case for case in _all() if case.rule is None]


def bad() -> list[Case]:
    """Return the cases that one rule must catch."""
    return [case for case in _all() if case.rule is not None]


def _case(name: str) -> Case:
    return next(case for case in _all() if case.case == name)


@cache
def _all() -> tuple[Case, ...]:
    found = tuple(_read())
    names = [case.case for case in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"cases with the same name: {', '.join(sorted(twice))}")
    return found


def _read() -> Iterator[Case]:
    common = (FOLDER / "common.yaml").read_text("utf-8")
    for folder in ("good", "bad"):
        for file in sorted((FOLDER / folder).glob("*.yaml")):
            document = yaml.safe_load(common + file.read_text("utf-8"))
            for made in document["cases"]:
                case = Case.model_validate(made)
                if (case.rule is None) != (folder == "good"):
                    raise ValueError(f"{file.name}: {case.case} stands in the wrong folder")
                yield case
