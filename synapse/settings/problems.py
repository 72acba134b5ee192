"""Turns what is wrong with a config into the lines that an operator reads."""

import difflib
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from synapse.settings.rules import BROKEN_RULES, Location, rules_broken_beside, section_within

SECRET_KEYS = ("hf_token", "gateway_key", "gateway_previous_key")
_LOOKS_SECRET = re.compile(r"\bhf_|\bsk-|token|secret|password|api_?key", re.IGNORECASE)
_HIDDEN = "(hidden)"
_LONGEST_VALUE = 60
_LONGEST_NUMBER = 10**18
_WANTED = {
    "string": ("a text", "write it in quotes where YAML would read something else"),
    "int": ("a whole number", "write it without quotes"),
    "bool": ("true or false", "write it without quotes"),
    "date": ("a date", "write it as '2026-11-22'"),
    "tuple": ("a list", "write an item a line, each behind '- '"),
    "model": ("a section of keys", "write its keys below it, indented"),
    "dict": ("a section of keys", "write its keys below it, indented"),
}


@dataclass(frozen=True)
class Problem:
    """One refused value of the config."""

    key: str
    value: str
    allowed: str
    cure: str

    def __str__(self) -> str:
        """Return the line that the operator reads."""
        shown = f" = {self.value}" if self.value else ""
        return one_line(f"{self.key}{shown}: allowed is {self.allowed}; {self.cure}")


class SettingsError(Exception):
    """The config is invalid. Carries all of its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"{count} in the stack config:\n" + "\n".join(f"  - {problem}" for problem in problems)
        )


def explain(
    error: ValidationError, raw: Mapping[str, object], model: type[BaseModel]
) -> list[Problem]:
    """Say all that is wrong with a config: pydantic's errors, then the rules between keys."""
    refused = [one for one in error.errors(include_url=False) if one["type"] != BROKEN_RULES]
    places = [place for details in refused for place in _places(details, model)]
    return [_problem(details, model) for details in refused] + [
        Problem(_dotted((*at, broken.key)), _shown(broken.value), broken.allowed, broken.cure)
        for at, broken in rules_broken_beside(places, raw, model)
    ]


def one_line(text: str) -> str:
    """Return a text in which line breaks and control characters are escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _places(details: ErrorDetails, model: type[BaseModel]) -> Iterator[Location]:
    """Where an error stands; a misspelt key also stands for the one that was meant."""
    location = details["loc"]
    yield location
    if details["type"] == "extra_forbidden":
        yield from ((*location[:-1], meant) for meant in _meant(location, model))


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    location = details["loc"]
    context = details.get("ctx", {})
    match details["type"]:
        case "refused":
            allowed, cure = context["allowed"], context["cure"]
        case "extra_forbidden":
            allowed, cure = _known_keys(location, model)
        case "missing":
            allowed, cure = "a value, and there is no default", f"add `{location[-1]}:`"
        case "enum" | "literal_error":
            allowed, cure = f"one of {context['expected']}", "write one of these"
        case "too_short":
            allowed, cure = f"at least {context['min_length']} item(s)", "add one"
        case kind:
            allowed, cure = _WANTED.get(
                kind.split("_", maxsplit=1)[0],
                (details["msg"].removeprefix("Input should be "), "write a value of that type"),
            )
    shown = _shown_at(location, details)
    if shown == _HIDDEN and details["type"] == "refused" and location[-1] not in SECRET_KEYS:
        cure = "renew the secret that stood here in clear text"  # a cure may repeat the value
    return Problem(_dotted(location), shown, allowed, cure)


def _shown_at(location: Location, details: ErrorDetails) -> str:
    if details["type"] == "missing" or isinstance(details["input"], Mapping | BaseModel):
        return ""
    shown = _shown(details["input"])
    unknown_key = details["type"] == "extra_forbidden" and _LOOKS_SECRET.search(str(location[-1]))
    if unknown_key or any(part in SECRET_KEYS for part in location):
        return _HIDDEN
    return shown


def _shown(value: object) -> str:
    if value is None:
        return "null"
    text = _bounded.repr(value)
    if _LOOKS_SECRET.search(text):
        return _HIDDEN
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


class _Bounded(reprlib.Repr):
    """A repr that stays short whatever YAML can express."""

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to print an integer of thousands of digits."""
        return super().repr_int(x, level) if abs(x) < _LONGEST_NUMBER else "a very large number"


_bounded = _Bounded()
_bounded.maxlevel = 3
_bounded.maxstring = _bounded.maxother = _LONGEST_VALUE + 2  # quotes


def _dotted(location: Location) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "synapse:" + ("".join(parts).removeprefix(".") or "*")


def _known_keys(location: Location, model: type[BaseModel]) -> tuple[str, str]:
    meant = _meant(location, model)
    cure = f"did you mean `{meant[0]}`?" if meant else "drop the key"
    return f"one of the keys {', '.join(_keys(location[:-1], model))}", cure


def _meant(location: Location, model: type[BaseModel]) -> list[str]:
    return difflib.get_close_matches(str(location[-1]), _keys(location[:-1], model), n=1)


def _keys(path: Iterable[int | str], model: type[BaseModel]) -> list[str]:
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            model = section_within(model.model_fields[part].annotation) or model
    return sorted(model.model_fields)
