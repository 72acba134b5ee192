"""docs/configuration.md: every key of the stack config, a table a section."""

import json
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tools.generate import fields

_HEAD = """\
# Configuration

Every key of a stack file, `Pulumi.<stack>.yaml`, below `config:`. This page is made by
`python -m tools.generate` from the models in `synapse/settings`; do not edit it.

A key carries its unit in its name: `memory_gib: 96`, never `96Gi`. A key that is left out has its
default; one in words is chosen by the plan, and `python -m synapse plan` shows what it is.
Secrets are set with `pulumi config set --secret` and stand in no file in clear text.
"""
_PIPE = "\\|"
_TABLE = "| key | type | default | unit | description |\n|---|---|---|---|---|\n"


def configuration_page(model: type[BaseModel]) -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *_sections(model, "synapse")])


def _sections(model: type[BaseModel], at: str) -> Iterator[str]:
    yield f"## `{at}`\n\n{_summary(model)}\n\n{table(model)}"
    for name, field in model.model_fields.items():
        inner = fields.section_of(field)
        if inner is not None:
            within = f"{at}:{name}" if at == "synapse" else f"{at}.{name}"
            yield from _sections(inner, within + ("[]" if fields.is_list(field) else ""))


def table(model: type[BaseModel]) -> str:
    """Return the table of one section's keys."""
    rows = [_row(name, field) for name, field in model.model_fields.items()]
    return f"{_TABLE}{''.join(rows)}"


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _row(name: str, field: FieldInfo) -> str:
    meaning, _, unset = (field.description or "").partition("; default: ")
    kind = fields.kind(name, field)
    cells = [f"`{name}`", kind, _default(field, unset), fields.unit(name), meaning]
    return f"| {' | '.join(cell.replace('|', _PIPE) for cell in cells)} |\n"


def _default(field: FieldInfo, unset: str) -> str:
    default = fields.default(field)
    if default is PydanticUndefined:
        return "**required**"
    if default is None or default is False:
        return unset or ("`false`" if default is False else "none")
    if fields.section_of(field) is not None and not fields.is_list(field):
        return "as below"
    return f"`{json.dumps(default, ensure_ascii=False)}`"
