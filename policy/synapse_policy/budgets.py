"""Budgets in the pack's config, for programs whose resources bring no plan of their own."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Budget(BaseModel):
    """Part of the machine on which programs without a Synapse root run; not set: not judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GpuModel(_Budget):
    """Which GPU it is."""

    gpu_model: str | None = Field(
        default=None,
        min_length=1,
        description="GPU of the catalogue, such as rtx-5090; not set: engines without a Synapse "
        "root are not judged",
    )


class GpuBudget(GpuModel):
    """What may be taken of the GPU."""

    budget_gib: float | None = Field(
        default=None,
        gt=0,
        description="the most VRAM that one GPU gives; not set: all that an engine sees of it",
    )
    reserve_gib: float = Field(
        default=0, ge=0, description="VRAM that stays free of what an engine sees"
    )
    gpu_count: int = Field(default=1, ge=1, description="GPUs of the machine")

    @model_validator(mode="after")
    def _names_the_gpu(self) -> "GpuBudget":
        if self.gpu_model is None and self.budget_gib is not None:
            raise ValueError("budget_gib without gpu_model judges nothing; set gpu_model as well")
        return self


class GpuCount(_Budget):
    """How many GPUs there are."""

    gpu_count: int | None = Field(
        default=None,
        ge=1,
        description="GPUs of the machine; not set: programs without a Synapse root are not judged",
    )


class RamBudget(_Budget):
    """The machine's RAM."""

    node_memory_gib: float | None = Field(
        default=None,
        gt=0,
        description="RAM of the machine; not set: programs without a Synapse root are not judged",
    )
    system_memory_gib: float = Field(
        default=0, ge=0, description="RAM of it that the system and other programs take"
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> "RamBudget":
        if self.node_memory_gib is not None and self.system_memory_gib >= self.node_memory_gib:
            raise ValueError(
                f"system_memory_gib {self.system_memory_gib:g} leaves nothing of node_memory_gib "
                f"{self.node_memory_gib:g}"
            )
        return self


class DiskBudget(_Budget):
    """The machine's storage."""

    storage_gib: float | None = Field(
        default=None,
        gt=0,
        description="storage for volume claims; not set: programs without a Synapse root are not "
        "judged",
    )


class OllamaModels(_Budget):
    """What Ollama is asked for."""

    models: tuple[str, ...] = Field(
        default=(),
        description="tags of the models that an Ollama without a Synapse root and without the "
        "annotation synapse/models loads; none: it is not judged",
    )
