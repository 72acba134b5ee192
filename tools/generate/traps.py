"""The table of docs/policies.md: each trap, and what holds it off."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

_FILE = Path(__file__).with_name("traps.yaml")


class Trap(BaseModel):
    """Something that goes wrong, and what stands against it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    trap: str
    rules: tuple[str, ...] = ()
    tests: tuple[str, ...] = Field(default=(), description="`file::function`")
    why: str | None = Field(default=None, description="why no rule holds all of it")

    @model_validator(mode="after")
    def _is_answered(self) -> "Trap":
        if not (self.rules or self.tests or self.why):
            raise ValueError("no rule, no test and no reason")
        return self


class Source(BaseModel):
    """Traps that were met in one place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    traps: tuple[Trap, ...]


def trap_sources() -> tuple[Source, ...]:
    """Read the file."""
    found = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return TypeAdapter(tuple[Source, ...]).validate_python(found)


def trap_tables() -> str:
    """Return a table for each source."""
    return "\n".join(line for source in trap_sources() for line in _table(source))


def _table(source: Source) -> Iterator[str]:
    yield f"\n### {source.source}\n"
    yield "| | trap | rule | test | else |\n|---|---|---|---|---|"
    for trap in source.traps:
        rules = ", ".join(f"[`{rule}`](#{rule})" for rule in trap.rules)
        tests = ", ".join(_test(test) for test in trap.tests)
        yield f"| {trap.id} | {trap.trap} | {rules} | {tests} | {trap.why or ''} |"


def _test(test: str) -> str:
    file, _, function = test.partition("::")
    return f"[{function.removeprefix('test_').replace('_', ' ')}](../{file})"
