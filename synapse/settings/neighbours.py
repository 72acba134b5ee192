"""Who else is on the cluster: old services that still count, and callers that are let in."""

from pydantic import Field

from synapse.settings.base import Phase, Section
from synapse.settings.fields import (
    Cores,
    CountOrNone,
    Date,
    DnsLabel,
    Gib,
    GibOrNone,
    Labels,
    ServiceName,
)


class LegacyService(Section):
    """An old service that counts in the ledger until it is retired."""

    name: DnsLabel = Field(description="its Deployment")
    namespace: DnsLabel = Field(description="its namespace")
    gpus: CountOrNone = Field(0, description="GPUs that it claims from the scheduler")
    vram_gib: GibOrNone = Field(0, description="VRAM that it takes")
    memory_gib: Gib = Field(description="its memory limit, or measured RAM where it has none")
    cpu_request: Cores = Field(1, description="its CPU request")
    scaled_down_at: Phase = Field(description="the phase before which it is scaled to 0")
    retired_on: Date | None = Field(
        None, description="the day on which it was removed; it counts no longer"
    )


class Client(Section):
    """Somebody outside the stack who may call one of its Services directly."""

    namespace: DnsLabel = Field(description="the caller's namespace")
    selector: Labels = Field(description="labels of the caller's pods")
    service: ServiceName = Field(description="the Service of the stack that it may call")
