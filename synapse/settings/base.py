"""What all sections of the stack config share."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from synapse.settings.fields import Cores, Gib, refusal

FIRST_PHASE, LAST_PHASE = 1, 6


class Section(BaseModel):
    """A frozen part of the config in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _phase(value: int) -> int:
    if not FIRST_PHASE <= value <= LAST_PHASE:
        raise refusal(
            f"a whole number from {FIRST_PHASE} to {LAST_PHASE}",
            f"write {FIRST_PHASE if value < FIRST_PHASE else LAST_PHASE}",
        )
    return value


Phase = Annotated[int, AfterValidator(_phase)]


class PodSize(Section):
    """What one pod asks for, and what it may take at most."""

    cpu_request: Cores = Field(description="CPU request of a pod")
    cpu_limit: Cores = Field(description="CPU limit of a pod")
    memory_request_gib: Gib = Field(description="memory request of a pod")
    memory_limit_gib: Gib = Field(description="memory limit of a pod")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        for request, limit, value, most in (
            ("cpu_request", "cpu_limit", self.cpu_request, self.cpu_limit),
            (
                "memory_request_gib",
                "memory_limit_gib",
                self.memory_request_gib,
                self.memory_limit_gib,
            ),
        ):
            if value > most:
                raise refusal(
                    f"{request} ({value:g}) of at most {limit} ({most:g})",
                    f"lower {request} or raise {limit}",
                )
        return self
