"""What the pack reads of the plan in the root component: claims to be checked, never formulas."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict


class _View(BaseModel):
    """A part of the plan; fields that the pack does not need may come and go."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class LineView(_View):
    """One addend of a sum."""

    what: str
    gib: float


class PodView(_View):
    """Memory of one pod."""

    memory_request_gib: float
    memory_limit_gib: float


class WorkloadView(_View):
    """Pods of one kind."""

    name: str
    kind: str
    namespace: str
    phases: tuple[int, ...]
    replicas: int
    surge: int
    pod: PodView
    planned_ram_gib: float
    gpus: int
    vram_gib: float

    @property
    def pods(self) -> int:
        """Pods that may exist at once."""
        return self.replicas + self.surge

    @property
    def on_gpu(self) -> bool:
        """Whether it takes of the GPU."""
        return self.gpus > 0 or self.vram_gib > 0


class GpuView(_View):
    """The GPU and what of it may be taken."""

    model: str
    total_gib: float
    count: int
    devices: int
    budget_gib: float
    reserve_gib: float
    ceiling_gib: float
    sharing: str
    device_plugin_namespace: str | None = None


class MemberView(_View):
    """A workload's share in a state."""

    workload: str
    vram_gib: float
    gpus: int


class StateView(_View):
    """Workloads that are on the GPU together."""

    name: str
    phases: tuple[int, ...]
    members: tuple[MemberView, ...]
    sum_gib: float


class TransitionView(_View):
    """The way from one state to another."""

    source: str
    target: str
    peak_gib: float


class RamView(_View):
    """One sum over pods that may run together."""

    phase: int
    state: str
    kind: str
    sum_gib: float
    limit_gib: float


class VolumeView(_View):
    """A claim and its files."""

    claim: str
    size_gib: float
    lines: tuple[LineView, ...]
    usable_gib: float
    sum_gib: float


class EngineView(_View):
    """The engine's flags, and what the plan says that they take."""

    kind: str
    service: str
    version: str
    repository: str
    gpu_memory_utilization: float
    max_model_len: int
    max_num_seqs: int | None
    max_num_batched_tokens: int | None
    kv_cache_dtype: str
    enforce_eager: bool
    sleep_mode: bool
    share_gib: float
    outside_gib: float
    needs: tuple[LineView, ...]
    needs_gib: float


class OllamaModelView(_View):
    """A model of Ollama's, and what the plan says that it takes."""

    tag: str
    file_gib: float
    ram_gib: float


class OllamaView(_View):
    """Ollama's settings."""

    memory_limit_gib: float
    max_loaded_models: int
    num_parallel: int
    context_tokens: int
    models: tuple[OllamaModelView, ...]


class NodeView(_View):
    """The machine."""

    memory_gib: float
    allocatable_gib: float
    system_gib: float
    budget_gib: float
    storage_gib: float


class PlanView(_View):
    """The plan, as far as the pack checks it."""

    phase: int
    namespace: str
    node: NodeView
    gpu: GpuView
    workloads: tuple[WorkloadView, ...]
    states: tuple[StateView, ...]
    transitions: tuple[TransitionView, ...]
    ram: tuple[RamView, ...]
    volumes: tuple[VolumeView, ...]
    ollama: OllamaView
    engine: EngineView

    def reaches(self, phases: Iterable[int]) -> bool:
        """Whether the stack is in one of these phases, or beyond the first of them."""
        return min(phases) <= self.phase
