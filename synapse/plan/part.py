"""What every part of the plan is, and the addend that its sums have in common."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen, serialisable part of the plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(Part):
    """One addend of a sum."""

    what: str
    gib: float
