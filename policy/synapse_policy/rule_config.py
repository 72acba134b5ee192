"""The config of one rule, as the engine hands it over: settings and exceptions, typed."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from pulumi_policy import PolicyConfigSchema
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

_EXCEPTIONS = "exceptions"


class NoSettings(BaseModel):
    """The settings of a rule that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleException(BaseModel):
    """A violation that somebody answers for, until a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource: str = Field(
        min_length=1,
        description="whom it is for: a URN, `Kind/namespace/name` (`Kind/name` without a "
        "namespace), either with `*` and `?`, or `stack` for what is said of the whole stack",
    )
    reason: str = Field(min_length=1, description="why it has to be")
    owner: str = Field(min_length=1, description="who answers for it")
    until: date = Field(description="the last day on which it holds, such as 2026-12-31 (UTC)")


class RuleConfig(NamedTuple):
    """What the pack's config says to one rule."""

    settings: BaseModel
    exceptions: tuple[RuleException, ...]


_EXCEPTION_LIST = TypeAdapter(tuple[RuleException, ...])


class ConfigReader:
    """Reads the config of one rule; what was read before is not read again."""

    def __init__(self, settings: type[BaseModel]) -> None:
        self._settings = settings
        self._last_given: object = None
        self._last_read: RuleConfig | str = RuleConfig(settings(), ())

    def read(self, given: object) -> RuleConfig | str:
        """Return the config, or all that is wrong with it in one line."""
        if given != self._last_given:
            self._last_given = given
            self._last_read = read_config(given, self._settings)
        return self._last_read


def read_config(given: object, settings: type[BaseModel]) -> RuleConfig | str:
    """Read a rule's config anew; a text says all that is wrong with it."""
    if given is None:
        return RuleConfig(settings(), ())
    if not isinstance(given, Mapping):
        return f"{given!r} is no mapping of settings"
    problems: list[str] = []
    exceptions: tuple[RuleException, ...] = ()
    own = settings.model_construct()
    try:
        # A null, as in `exceptions: null`, is a setting that was not made.
        exceptions = _EXCEPTION_LIST.validate_python(given.get(_EXCEPTIONS) or ())
    except ValidationError as error:
        problems += _problems(error, (_EXCEPTIONS,))
    try:
        own = settings.model_validate(
            {key: value for key, value in given.items() if key != _EXCEPTIONS and value is not None}
        )
    except ValidationError as error:
        problems += _problems(error, ())
    return "; ".join(problems) if problems else RuleConfig(own, exceptions)


def _problems(error: ValidationError, at: tuple[str, ...]) -> list[str]:
    return [
        f"{_path((*at, *one['loc']))}: {one['msg']}"
        + (
            f" (it is {one['input']!r})"
            if one["type"] not in ("missing", "extra_forbidden")
            else ""
        )
        for one in error.errors(include_url=False)
    ]


def _path(keys: Sequence[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def config_schema(settings: type[BaseModel]) -> PolicyConfigSchema:
    """Return the JSON Schema that the engine checks a rule's config by, and completes it from."""
    return PolicyConfigSchema(
        properties={**schema_properties(settings), _EXCEPTIONS: _exceptions_schema()}
    )


@cache
def schema_properties(settings: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Return the properties of the settings' JSON Schema, without references."""
    return _properties(settings.model_json_schema())


@cache
def _exceptions_schema() -> dict[str, Any]:
    entry = RuleException.model_json_schema()
    # `format: date` is left to the model, whose message names the value.
    return {
        "type": "array",
        "description": "violations that somebody answers for",
        "items": {
            "type": "object",
            "properties": _properties(entry),
            "required": entry["required"],
            "additionalProperties": False,
        },
    }


def _properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    definitions = schema.get("$defs", {})
    found: dict[str, dict[str, Any]] = {}
    for name, prop in schema.get("properties", {}).items():
        plain = _inlined(prop, definitions)
        if plain.get("default", ...) is None:
            del plain["default"]  # the engine knows no null
        found[name] = plain
    return found


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401  JSON
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {
        key: _inlined(value, definitions)
        for key, value in schema.items()
        if key not in ("title", "format")
    }
