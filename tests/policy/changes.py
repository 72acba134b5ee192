"""One change of one resource, as data: the way to a value, and what happens to it.

A path is written with slashes. A step into a list is an index, `-` for behind its end, `key=value`
for the first mapping with this pair, or `text*` for the first string that begins so; a slash within
a name is written `~1`. `pod` at the start is the workload's pod spec, `container` its first
container.
"""

import copy
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Json = dict[str, Any]

_TEMPLATE = "spec/template/spec"
_POD = {"Pod": "spec", "CronJob": "spec/jobTemplate/spec/template/spec"}


class ChangeError(Exception):
    """The path leads nowhere; the data is older than what it changes."""


class Change(BaseModel):
    """Exactly one of `replace`, `remove`, `add` says where; `value` says what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str = Field(pattern=r"^[A-Za-z]+/.+$", description="`Kind/name` of the object")
    replace: str | None = None
    remove: str | None = None
    add: str | None = None
    value: Any = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if sum(path is not None for path in (self.replace, self.remove, self.add)) != 1:
            raise ValueError("one of replace, remove and add is needed")
        if (self.remove is None) != ("value" in self.model_fields_set):
            raise ValueError("replace and add need a value, remove has none")
        return self

    @property
    def does(self) -> tuple[Literal["replace", "remove", "add"], str]:
        """What it does, and where."""
        if self.replace is not None:
            return "replace", self.replace
        return ("remove", self.remove) if self.remove is not None else ("add", self.add or "")


class _Place(NamedTuple):
    holder: Any
    key: str | int
    is_there: bool


def apply(change: Change, kind: str, made: Json) -> Json:
    """Return a copy of a resource with the change.

    Raises:
        ChangeError: what is replaced or removed is not there, or what is added is there already.
    """
    does, path = change.does
    changed = copy.deepcopy(made)
    place = _find(changed, _steps(path, kind))
    if place.is_there == (does == "add"):
        raise ChangeError(f"{change.at}: {path} is {'there already' if place.is_there else 'away'}")
    if does == "remove":
        del place.holder[place.key]
    elif isinstance(place.holder, list) and does == "add":
        place.holder.append(copy.deepcopy(change.value))
    else:
        place.holder[place.key] = copy.deepcopy(change.value)
    return changed


def _steps(path: str, kind: str) -> list[str]:
    first, *rest = path.split("/")
    pod = _POD.get(kind, _TEMPLATE)
    ways = {"pod": pod, "container": f"{pod}/containers/0"}
    whole = "/".join((ways.get(first, first), *rest))
    return [step.replace("~1", "/") for step in whole.split("/")]


def _find(made: Json, steps: list[str]) -> _Place:
    place = _Place({"": made}, "", True)
    for step in steps:
        if not place.is_there:
            raise ChangeError(f"{'/'.join(steps)} has no {place.key}")
        place = _step(place.holder[place.key], step)
    return place


def _step(holder: Any, step: str) -> _Place:
    if isinstance(holder, dict):
        return _Place(holder, step, step in holder)
    if not isinstance(holder, list):
        raise ChangeError(f"{step} is looked for in {holder!r}")
    for index, item in enumerate(holder):
        if _is_meant(index, item, step):
            return _Place(holder, index, True)
    return _Place(holder, step, False)


def _is_meant(index: int, item: Any, step: str) -> bool:
    if step.endswith("*"):
        return isinstance(item, str) and item.startswith(step[:-1])
    key, equals, value = step.partition("=")
    if equals:
        return isinstance(item, dict) and item.get(key) == value
    return step == str(index)
