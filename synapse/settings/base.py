"""What all sections of the stack config share."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from synapse.settings.fields import Cores, Gib, refusal
from synapse.settings.rules import BROKEN_RULES, Broken, broken_rules, rule

FIRST_PHASE, LAST_PHASE = 1, 6


class Section(BaseModel):
    """A frozen part of the config in which every key is known and every rule is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        broken = broken_rules(self)
        if broken:
            raise PydanticCustomError(BROKEN_RULES, "{broken}", {"broken": broken})
        return self


def _phase(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusal(_PHASES, "write the number alone, without quotes")
    if not FIRST_PHASE <= value <= LAST_PHASE:
        raise refusal(_PHASES, f"write {FIRST_PHASE if value < FIRST_PHASE else LAST_PHASE}")
    return value


_PHASES = f"a whole number from {FIRST_PHASE} to {LAST_PHASE}"

Phase = Annotated[int, BeforeValidator(_phase)]


class PodSize(Section):
    """What one pod asks for, and what it may take at most."""

    cpu_request: Cores = Field(description="CPU request of a pod")
    cpu_limit: Cores = Field(description="CPU limit of a pod")
    memory_request_gib: Gib = Field(description="memory request of a pod")
    memory_limit_gib: Gib = Field(description="memory limit of a pod")

    @rule("cpu_request", "cpu_limit")
    def _cpu_request_within_limit(self) -> Iterator[Broken]:
        yield from at_most("cpu_request", self.cpu_request, "cpu_limit", self.cpu_limit)

    @rule("memory_request_gib", "memory_limit_gib")
    def _memory_request_within_limit(self) -> Iterator[Broken]:
        yield from at_most(
            "memory_request_gib", self.memory_request_gib, "memory_limit_gib", self.memory_limit_gib
        )


def at_most(key: str, value: float, limit_key: str, limit: float) -> Iterator[Broken]:
    """Break a rule if the value of one key is above that of another."""
    if value > limit:
        yield Broken(
            key, value, f"at most {limit_key} ({limit:g})", f"lower it or raise {limit_key}"
        )


def listed_once(key: str, names: Sequence[str]) -> Iterator[Broken]:
    """Break a rule for every name that stands in a list again; `key` has {} for its position."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Broken(key.format(index), name, "a name that stands once", "drop one of them")
