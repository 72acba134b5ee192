"""The rules of the pack, in the order in which a reader meets them."""

from collections.abc import Sequence
from typing import Final

from pulumi_policy import Policy

from synapse_policy.rules import (
    disk,
    engine_fits,
    gpu_count,
    ollama_fits,
    plan_agrees,
    pull_policy,
    ram,
    service_name,
    vram,
    workloads_agree,
)

NAME: Final = "synapse"

POLICIES: Final[Sequence[Policy]] = (
    *vram.RULES,
    *gpu_count.RULES,
    *ram.RULES,
    *disk.RULES,
    *engine_fits.RULES,
    *ollama_fits.RULES,
    *service_name.RULES,
    *pull_policy.RULES,
    *plan_agrees.RULES,
    *workloads_agree.RULES,
)
