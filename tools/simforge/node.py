"""What the simulated node claims to have."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

NODE_NAME = "forge"


class NodeSpec(BaseModel):
    """Capacity and labels of the one node, and the volumes that lie ready on it.

    The defaults are the forge's: a K3s node with an RTX 5090. No volume is provisioned on demand
    on the simulated node, so a number of them is made beforehand; each serves one claim.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_cores: int = Field(default=32, gt=0)
    memory_gib: int = Field(default=196, gt=0)
    ephemeral_storage_gib: int = Field(default=1000, gt=0)
    gpu_count: int = Field(default=1, ge=0)
    gpu_product: str = "NVIDIA-GeForce-RTX-5090"
    pods: int = Field(default=110, gt=0)
    volume_count: int = Field(default=40, ge=0)
    volume_gib: int = Field(default=1000, gt=0)
