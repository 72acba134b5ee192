"""What a swap is about to do, written on its Lease, so that whoever comes after a kill knows."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from synapse.swap.change import Target
from synapse.swap.timeline import Step

INTENT_ANNOTATION = "synapse/swap"


class Intent(BaseModel):
    """The record; the Lease itself says who holds it, and since when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Target
    target: Target
    step: Step
    before: dict[str, int] = {}
    """Replicas by Deployment before the first write; empty until they were read."""
    returns_at: datetime | None = None
    """While it holds: when chat comes back."""

    @property
    def holds(self) -> bool:
        """The swap is done and only waits to bring chat back: another one may come between."""
        return self.step is Step.HOLD


def read_intent(annotations: Mapping[str, str] | None) -> Intent | None:
    """The intent of a Lease; None where there is none that can be read."""
    try:
        return Intent.model_validate_json((annotations or {}).get(INTENT_ANNOTATION, ""))
    except ValidationError:
        return None
