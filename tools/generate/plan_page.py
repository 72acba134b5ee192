"""docs/plan.md: the fields of `python -m synapse plan --json`."""

from collections.abc import Iterator
from typing import Any

_HEAD = """\
# The plan as JSON

`python -m synapse plan --json` prints the plan itself: what will run in every phase, what each
workload takes, every GPU state and transition, and the verdicts. Its JSON Schema is
[plan.schema.json](plan.schema.json). This page is made by `python -m tools.generate`; do not edit
it.

Memory is in GiB and CPU in cores. The exit status says whether it fits: 0 yes, 1 no, 2 the config
is invalid (then nothing stands on standard output). `schema_version` changes when a field is taken
away or changes its meaning.
"""
_TABLE = "| field | type | description |\n|---|---|---|\n"
_WORDS: dict[str, str] = {
    "null": "null",
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
}

Schema = dict[str, Any]


def plan_page(schema: Schema) -> str:
    """Return the page for the plan's JSON Schema."""
    parts = {"Plan": schema, **dict(sorted(schema["$defs"].items()))}
    return "\n".join([_HEAD, *_sections(parts)])


def _sections(parts: dict[str, Schema]) -> Iterator[str]:
    for name, part in parts.items():
        if "properties" not in part:
            continue
        rows = "".join(
            f"| `{key}` | {_type(field, parts)} | {_cell(field.get('description', ''))} |\n"
            for key, field in part["properties"].items()
        )
        yield f"## {name}\n\n{_cell(part.get('description', ''))}\n\n{_TABLE}{rows}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _type(field: Schema, parts: dict[str, Schema]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        choices = parts[name].get("enum")
        return _choices(choices) if choices else f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(one, parts) for one in field["anyOf"])
    if "enum" in field:
        return _choices(field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'], parts)}"
    if field["type"] == "object":
        return "object of texts"
    return _WORDS[field["type"]]


def _choices(values: list[str]) -> str:
    return " or ".join(f"`{value}`" for value in values)
