"""The plan: what will run, what it takes, whether that fits. Plain data for all readers.

Memory is in GiB and CPU in cores throughout. A number that two readers need stands here once.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field, computed_field

from synapse.plan.part import Line, Part
from synapse.plan.served import EnginePlan, GatewayPlan, OllamaPlan, SpeechPlan

SCHEMA_VERSION = 1


class WorkloadKind(StrEnum):
    """What a workload is to the scheduler, or to the ledger alone."""

    DEPLOYMENT = "deployment"
    JOB = "job"
    CRON_JOB = "cron-job"
    DAEMON_SET = "daemon-set"
    LEGACY = "legacy"
    AGGREGATE = "aggregate"


class PodResources(Part):
    """What one pod requests and may take."""

    cpu_request: float
    cpu_limit: float
    memory_request_gib: float
    memory_limit_gib: float
    ephemeral_storage_gib: float = Field(
        description="the node's disk that one pod may fill beside its volumes: scratch and logs"
    )


class Workload(Part):
    """Pods of one kind, from one phase on, until another."""

    name: str
    kind: WorkloadKind
    namespace: str
    phases: tuple[int, ...] = Field(description="the phases in which it runs")
    replicas: int = Field(description="pods in the steady state")
    surge: int = Field(0, description="pods beyond replicas during a rollout")
    pod: PodResources
    planned_ram_gib: float = Field(description="RAM that one pod is computed to use")
    gpus: int = Field(0, description="GPUs that one pod claims from the scheduler")
    vram_gib: float = Field(0, description="VRAM that one pod takes")
    first_replicas: int | None = Field(
        None, description="replicas at its creation, which are the swap's from then on; null: none"
    )

    @property
    def pods(self) -> int:
        """Pods that may exist at once."""
        return self.replicas + self.surge


class Verdict(Part):
    """One comparison of a sum with its limit."""

    rule: str = Field(description="stable name of the rule")
    scope: str = Field(description="what was judged: a phase, a state, a volume, a workload")
    phases: tuple[int, ...] = Field(description="the phases to which it applies")
    severity: Literal["refuse", "warn"] = "refuse"
    fits: bool
    sum: str = Field(description="the sum in words and numbers")
    cure: str = Field(description="what to change; empty where it fits")

    @property
    def refusal(self) -> str:
        """The line that says what does not fit, and what to do about it."""
        return f"{self.rule}, {self.scope}: {self.sum}; {self.cure}"


class GpuBudget(Part):
    """The GPU and the most that a state may take of it."""

    model: str
    total_gib: float = Field(description="memory as an engine sees it")
    count: int
    budget_gib: float
    reserve_gib: float
    ceiling_gib: float = Field(description="the lower of budget and total less reserve")
    sharing: Literal["exclusive", "concurrent"]
    devices: int = Field(description="GPU claims that the device plugin offers at once")
    runtime_class: str
    device_plugin: Literal["present", "stack"] = Field(
        description="whether the stack installs the device plugin"
    )
    device_plugin_image: str
    device_plugin_namespace: str | None = Field(
        description="where the stack tells the device plugin what to offer; None: nowhere"
    )


class GpuMember(Part):
    """A workload's share of the GPU in a state."""

    workload: str
    vram_gib: float
    gpus: int
    formula: str = Field(description="how the share came about")


class GpuState(Part):
    """Workloads that are on the GPU together."""

    name: str
    phases: tuple[int, ...]
    members: tuple[GpuMember, ...]

    @computed_field
    @property
    def sum_gib(self) -> float:
        """VRAM of all members."""
        return sum(member.vram_gib for member in self.members)


class Transition(Part):
    """The way from one GPU state to another: what leaves is gone before anything enters."""

    source: str
    target: str
    phases: tuple[int, ...]
    leaves: tuple[str, ...]
    enters: tuple[str, ...]
    stays: tuple[GpuMember, ...] = Field(description="what holds memory all the way through")
    peak_gib: float


class RamSum(Part):
    """One sum over the pods that may run together in a phase and a GPU state."""

    phase: int
    state: str
    kind: Literal["planned", "limits", "requests"]
    lines: tuple[Line, ...]
    limit_gib: float

    @computed_field
    @property
    def sum_gib(self) -> float:
        """RAM of all lines."""
        return sum(line.gib for line in self.lines)


class Volume(Part):
    """A claim, and what will lie on it."""

    claim: str
    size_gib: float
    lines: tuple[Line, ...]
    usable_gib: float = Field(description="size less the headroom that stays free")

    @computed_field
    @property
    def sum_gib(self) -> float:
        """Disk of all files."""
        return sum(line.gib for line in self.lines)


class Quota(Part):
    """The most that the namespace may ask for in a phase: the peak with surge and Jobs.

    Pods of the built phases above count too: a rollback takes them down after it has updated what
    stays, and a pod that stays has to find room beside them. GPUs are the phase's own.
    """

    cpu_request: float
    memory_request_gib: float
    memory_limit_gib: float
    ephemeral_storage_gib: float
    gpus: int
    pods: int


class PhasePlan(Part):
    """One of the six phases."""

    number: int
    title: str
    brings: str
    built: bool
    quota: Quota


class NodePlan(Part):
    """The machine."""

    name: str
    cpus: float
    memory_gib: float
    allocatable_gib: float
    system_gib: float
    budget_gib: float = Field(description="the part of the RAM that planned use may reach")
    storage_class: str
    storage_gib: float


class Caller(Part):
    """Somebody outside the stack who may call one of its Services."""

    namespace: str
    selector: dict[str, str]
    service: str


class Plan(Part):
    """Everything that the components, the pack, the gates and the console read."""

    schema_version: int = SCHEMA_VERSION
    phase: int
    namespace: str
    image_pull_secret: str | None
    node: NodePlan
    gpu: GpuBudget
    phases: tuple[PhasePlan, ...]
    workloads: tuple[Workload, ...]
    states: tuple[GpuState, ...]
    transitions: tuple[Transition, ...]
    ram: tuple[RamSum, ...]
    volumes: tuple[Volume, ...]
    ollama: OllamaPlan
    engine: EnginePlan
    gateway: GatewayPlan
    speech: SpeechPlan
    callers: tuple[Caller, ...]
    verdicts: tuple[Verdict, ...]

    def refusals(self, up_to_phase: int) -> tuple[Verdict, ...]:
        """What does not fit in the phases from the first to this one."""
        return tuple(
            verdict
            for verdict in self.verdicts
            if not verdict.fits
            and verdict.severity == "refuse"
            and min(verdict.phases) <= up_to_phase
        )

    def phase_plan(self, number: int) -> PhasePlan:
        """Return one phase by its number."""
        return self.phases[number - 1]

    def workload(self, name: str) -> Workload:
        """Return a workload by its name; KeyError for one that is not in the plan."""
        for workload in self.workloads:
            if workload.name == name:
                return workload
        raise KeyError(name)
