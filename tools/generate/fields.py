"""What a field of the settings says about itself, in the words of the documents."""

import types
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from synapse.settings.problems import SECRET_KEYS
from synapse.settings.rules import section_within

_UNITS = {
    "_gib": "GiB",
    "_seconds": "s",
    "_tokens": "tokens",
    "_model_len": "tokens",
    "_batched_tokens": "tokens",
    "cpu_request": "cores",
    "cpu_limit": "cores",
    "cpus": "cores",
    "_utilization": "0–1",  # noqa: RUF001  an en dash is right
    "_fraction": "0–1",  # noqa: RUF001
}
ENCRYPTED = "secret"
_KINDS: dict[type, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    date: "date",
}


def is_list(field: FieldInfo) -> bool:
    """Whether the field holds a list."""
    return get_origin(field.annotation) is tuple


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that the field is, or that its items are."""
    return section_within(field.annotation)


def unit(name: str) -> str:
    """Return the unit that a key's name carries."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def kind(name: str, field: FieldInfo) -> str:
    """Say the field's type in words."""
    return ENCRYPTED if name in SECRET_KEYS else _kind(field.annotation)


def _kind(annotation: object) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin is tuple:
        return f"list of {'sections' if section_within(annotation) else 'texts'}"
    if origin is dict:
        return "labels"
    if origin is not None:  # Annotated, or a union with None
        return _kind(next(one for one in inner if one is not types.NoneType))
    return _named_kind(annotation)


def _named_kind(annotation: object) -> str:
    if not isinstance(annotation, type):
        raise TypeError(f"no words for {annotation!r}")
    if issubclass(annotation, StrEnum):
        return " or ".join(f"`{choice}`" for choice in annotation)
    return "section" if issubclass(annotation, BaseModel) else _KINDS[annotation]


def default(field: FieldInfo) -> object:
    """Return the default as plain data without nulls; PydanticUndefined if there is none."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None:
        return value
    dumped: object = TypeAdapter(object).dump_python(value, mode="json")
    return _plain(dumped)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
