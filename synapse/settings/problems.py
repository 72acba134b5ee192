"""Turns pydantic's errors into the lines that an operator reads: key, value, allowed, cure."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]

_SECRET_KEYS = frozenset({"hf_token", "gateway_key"})
_LONGEST_VALUE = 60


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
        return f"synapse:{self.key}{shown}: allowed is {self.allowed}; {self.cure}"


class SettingsError(Exception):
    """The config is invalid. Carries all of its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"{len(problems)} problem(s) in the stack config:\n"
            + "\n".join(f"  - {problem}" for problem in problems)
        )


def explain(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Say each of pydantic's errors in the operator's terms."""
    return [_problem(details, model) for details in error.errors(include_url=False)]


def locations(error: ValidationError) -> list[Location]:
    """Return where in the config each error stands; an empty one concerns the whole."""
    return [details["loc"] for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    location = details["loc"]
    context = details.get("ctx", {})
    value = _shown(location, details)
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
            allowed = details["msg"].removeprefix("Input should be ")
            cure = f"write {_sample(kind)}"
    return Problem(_dotted(location), value, allowed, cure)


def _shown(location: Location, details: ErrorDetails) -> str:
    if details["type"] == "missing" or isinstance(details["input"], Mapping | BaseModel):
        return ""
    if any(part in _SECRET_KEYS for part in location):
        return "(hidden)"
    text = repr(details["input"])
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _dotted(location: Location) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".") or "*"


def _known_keys(location: Location, model: type[BaseModel]) -> tuple[str, str]:
    keys = sorted(_section_at(location[:-1], model).model_fields)
    close = difflib.get_close_matches(str(location[-1]), keys, n=1)
    cure = f"did you mean `{close[0]}`?" if close else "drop the key"
    return f"one of the keys {', '.join(keys)}", cure


def _section_at(path: Iterable[int | str], model: type[BaseModel]) -> type[BaseModel]:
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_within(model.model_fields[part].annotation) or model
    return model


def _model_within(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_within(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)


def _sample(kind: str) -> str:
    samples = {
        "string": "a text, in quotes where YAML would read something else",
        "int": "a whole number without quotes",
        "bool": "true or false without quotes",
        "date": "a date such as '2026-11-22'",
        "tuple": "a list, an item a line",
        "list": "a list, an item a line",
        "model": "a section of keys",
        "dict": "a section of keys",
    }
    return samples.get(kind.split("_", maxsplit=1)[0], "a value of that type")
