"""Rules between the keys of a section: each names the keys that it reads.

A rule whose keys are refused already is not asked: it would judge defaults that nobody wrote.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar, cast, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

BROKEN_RULES = "broken_rules"
"""The type of the pydantic error that carries the broken rules of a section."""

Location = tuple[int | str, ...]
_ANY_ITEM = "*"


@dataclass(frozen=True)
class Broken:
    """A rule that a value breaks; `key` is dotted and stands below the rule's section."""

    key: str
    value: object
    allowed: str
    cure: str


class _Rule(Protocol):
    reads: tuple[Location, ...]

    def __call__(self, section: BaseModel) -> Iterable[Broken]: ...


_Section = TypeVar("_Section", bound=BaseModel)
_Check = Callable[[_Section], Iterator[Broken]]


def rule(*reads: str) -> Callable[[_Check[_Section]], _Check[_Section]]:
    """Mark a method as a rule that reads these dotted keys (`routes.*.name`: of every item)."""

    def mark(check: _Check[_Section]) -> _Check[_Section]:
        cast(_Rule, check).reads = tuple(tuple(key.split(".")) for key in reads)
        return check

    return mark


def broken_rules(section: BaseModel, refused: Sequence[Location] = ()) -> tuple[Broken, ...]:
    """Ask every rule of the section that reads none of the refused keys (below the section)."""
    return tuple(
        broken
        for one in _rules(type(section))
        if not any(_overlap(key, bad) for key in one.reads for bad in refused)
        for broken in one(section)
    )


def _rules(model: type[BaseModel]) -> Iterator[_Rule]:
    for owner in reversed(model.__mro__):
        yield from (cast(_Rule, one) for one in vars(owner).values() if hasattr(one, "reads"))


def _overlap(key: Location, bad: Location) -> bool:
    return all(a in (_ANY_ITEM, b) for a, b in zip(key, bad, strict=False))


def rules_broken_beside(
    refused: Sequence[Location], raw: object, model: type[BaseModel]
) -> Iterator[tuple[Location, Broken]]:
    """Every broken rule of a config in which some keys are refused, with its section's place."""
    _, broken = _read(raw, model, refused, ())
    yield from broken


_Found = tuple[object, list[tuple[Location, Broken]]]


def _read(raw: object, model: type[BaseModel], refused: Sequence[Location], at: Location) -> _Found:
    """Read what is valid of a section, or of a list of them, and ask its rules on the way."""
    if () in refused:  # refused as a whole: nothing in it is read, its place in a list stays
        return None, []
    if isinstance(raw, Mapping):
        return _read_section(raw, model, refused, at)
    if isinstance(raw, list | tuple):
        found = [
            _read(one, model, _below(refused, index), (*at, index)) for index, one in enumerate(raw)
        ]
        return tuple(value for value, _ in found), [one for _, broken in found for one in broken]
    return raw, []


def _read_section(
    raw: Mapping[object, object], model: type[BaseModel], refused: Sequence[Location], at: Location
) -> _Found:
    values: dict[str, Any] = {}
    broken: list[tuple[Location, Broken]] = []
    for name, field in model.model_fields.items():
        below = _below(refused, name)
        inner = section_within(field.annotation)
        if name not in raw or () in below:
            continue
        if inner is not None:
            values[name], found = _read(raw[name], inner, below, (*at, name))
            broken += found
        elif not below:
            values[name] = _leaf(field, model, raw[name])
    section = model.model_construct(**values)
    return section, broken + [(at, one) for one in broken_rules(section, refused)]


def _below(refused: Sequence[Location], part: int | str) -> list[Location]:
    return [location[1:] for location in refused if location[:1] == (part,)]


def section_within(annotation: object) -> type[BaseModel] | None:
    """Return the section that an annotation is, or holds as an option or as a list's item."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (section_within(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)


def _leaf(field: FieldInfo, model: type[BaseModel], raw: object) -> object:
    # A type put together here is no type to a checker; Annotated wants one annotation at least.
    kind = cast(Any, Annotated)[field.annotation, *field.metadata, field.description]
    return TypeAdapter[object](kind, config=model.model_config).validate_python(raw)
