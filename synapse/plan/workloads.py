"""Every workload of the six phases with its size: the one list that all sums run over."""

from collections.abc import Iterator

from synapse import names
from synapse.plan import phases
from synapse.plan.model import PodResources, Workload, WorkloadKind
from synapse.plan.ollama import loaded_ram_gib
from synapse.plan.served import EnginePlan, OllamaPlan, SpeechPlan
from synapse.settings.base import PodSize
from synapse.settings.machine import Sharing
from synapse.settings.settings import Settings

# A download streams to disk: it needs little but room for its buffers. The Hugging Face client
# keeps several chunks of 64 MiB in flight.
_OLLAMA_DOWNLOAD = PodResources(
    cpu_request=0.5,
    cpu_limit=2,
    memory_request_gib=0.5,
    memory_limit_gib=1,
    ephemeral_storage_gib=1,
)
_ENGINE_DOWNLOAD = PodResources(
    cpu_request=0.5,
    cpu_limit=2,
    memory_request_gib=0.5,
    memory_limit_gib=2,
    ephemeral_storage_gib=1,
)
# One file after the other, in small pieces.
_SPEECH_DOWNLOAD = PodResources(
    cpu_request=0.25,
    cpu_limit=1,
    memory_request_gib=0.25,
    memory_limit_gib=0.5,
    ephemeral_storage_gib=1,
)
_DEVICE_PLUGIN = PodResources(
    cpu_request=0.05,
    cpu_limit=0.5,
    memory_request_gib=0.0625,
    memory_limit_gib=0.25,
    ephemeral_storage_gib=0.25,
)
_KUBECTL = PodResources(
    cpu_request=0.05,
    cpu_limit=0.5,
    memory_request_gib=0.0625,
    memory_limit_gib=0.25,
    ephemeral_storage_gib=0.25,
)
# Models lie on volumes. What is left is logs, and what programs compile or unpack at their start:
# an engine compiles kernels for the GPU, some GiB of them.
_SERVICE_STORAGE_GIB = 1
_ENGINE_STORAGE_GIB = 10


def plan_workloads(
    settings: Settings, ollama: OllamaPlan, engine: EnginePlan, speech: SpeechPlan
) -> tuple[Workload, ...]:
    """List all workloads, in the order in which the phases bring them."""
    return (
        *_device_plugin(settings),
        *_phase_1(settings, ollama),
        *_phase_2(settings, engine),
        *_phase_3(settings),
        *_phase_4(settings, speech),
        *_phase_5(settings),
        *_legacy(settings),
    )


def _device_plugin(settings: Settings) -> Iterator[Workload]:
    if settings.gpu.device_plugin == "stack":
        yield Workload(
            name=names.DEVICE_PLUGIN,
            kind=WorkloadKind.DAEMON_SET,
            namespace=names.SYSTEM_NAMESPACE,
            phases=phases.from_phase(phases.OLLAMA),
            replicas=1,
            pod=_DEVICE_PLUGIN,
            planned_ram_gib=_DEVICE_PLUGIN.memory_request_gib,
        )


def _phase_1(settings: Settings, ollama: OllamaPlan) -> Iterator[Workload]:
    wanted = settings.ollama
    limit_gib = ollama.memory_limit_gib
    yield Workload(
        name=names.OLLAMA,
        kind=WorkloadKind.DEPLOYMENT,
        namespace=settings.namespace,
        phases=phases.from_phase(phases.OLLAMA),
        replicas=1,
        pod=PodResources(
            cpu_request=wanted.cpu_request,
            cpu_limit=wanted.cpu_limit,
            memory_request_gib=wanted.memory_request_gib or limit_gib / 3,
            memory_limit_gib=limit_gib,
            ephemeral_storage_gib=_SERVICE_STORAGE_GIB,
        ),
        planned_ram_gib=loaded_ram_gib(ollama),
    )
    yield _job(
        settings, names.OLLAMA_PULL, phases.OLLAMA, _OLLAMA_DOWNLOAD, pods=len(ollama.models)
    )
    yield Workload(
        name=names.OPERATOR_POD,
        kind=WorkloadKind.AGGREGATE,
        namespace=settings.namespace,
        phases=phases.from_phase(phases.OLLAMA),
        replicas=1,
        pod=_KUBECTL,
        planned_ram_gib=_KUBECTL.memory_request_gib,
    )


def _phase_2(settings: Settings, engine: EnginePlan) -> Iterator[Workload]:
    yield _sized(
        settings,
        engine.service,
        phases.ENGINE,
        settings.engine,
        gpus=1,
        vram_gib=engine.share_gib + engine.outside_gib,
        ephemeral_storage_gib=_ENGINE_STORAGE_GIB,
        first_replicas=1,
    )
    yield _job(settings, names.ENGINE_PULL, phases.ENGINE, _ENGINE_DOWNLOAD, pods=1)


def _phase_3(settings: Settings) -> Iterator[Workload]:
    gateway = settings.gateway
    yield _sized(
        settings, names.GATEWAY, phases.GATEWAY, gateway, replicas=gateway.replicas, surge=1
    )
    yield Workload(
        name=names.RESTART,
        kind=WorkloadKind.CRON_JOB,
        namespace=settings.namespace,
        phases=phases.from_phase(phases.GATEWAY),
        replicas=1,
        pod=_KUBECTL,
        planned_ram_gib=_KUBECTL.memory_request_gib,
    )


def _phase_4(settings: Settings, speech: SpeechPlan) -> Iterator[Workload]:
    wanted = settings.speech
    if speech.voice == "xtts-v2":
        # Taking turns, chat has the GPU first; together, both run from the start.
        together = settings.gpu.sharing is Sharing.CONCURRENT
        yield _sized(
            settings,
            names.TTS,
            phases.SPEECH,
            wanted.tts,
            gpus=1,
            vram_gib=wanted.tts.vram_gib,
            first_replicas=1 if together else 0,
        )
    if speech.voice == "piper":
        yield _sized(settings, names.PIPER, phases.SPEECH, wanted.piper)
    gpus = 1 if speech.stt.device == "gpu" else 0
    yield _sized(
        settings, names.STT, phases.SPEECH, wanted.stt, gpus=gpus, vram_gib=speech.stt.vram_gib
    )
    yield _job(settings, names.SPEECH_PULL, phases.SPEECH, _SPEECH_DOWNLOAD, pods=1)


def _phase_5(settings: Settings) -> Iterator[Workload]:
    pods = _sized(settings, names.MONITORING, phases.MONITORING, settings.monitoring)
    yield pods.model_copy(update={"namespace": "monitoring", "kind": WorkloadKind.AGGREGATE})


def _legacy(settings: Settings) -> Iterator[Workload]:
    for old in settings.legacy:
        counted = phases.before_phase(old.scaled_down_at)
        if old.retired_on or not counted:
            continue
        yield Workload(
            name=f"{old.namespace}/{old.name}",
            kind=WorkloadKind.LEGACY,
            namespace=old.namespace,
            phases=counted,
            replicas=1,
            pod=PodResources(
                cpu_request=old.cpu_request,
                cpu_limit=old.cpu_request,
                memory_request_gib=old.memory_gib,
                memory_limit_gib=old.memory_gib,
                ephemeral_storage_gib=0,  # not ours to say
            ),
            planned_ram_gib=old.memory_gib,
            gpus=old.gpus,
            vram_gib=old.vram_gib,
        )


def _sized(
    settings: Settings,
    name: str,
    phase: int,
    size: PodSize,
    *,
    replicas: int = 1,
    surge: int = 0,
    gpus: int = 0,
    vram_gib: float = 0,
    ephemeral_storage_gib: float = _SERVICE_STORAGE_GIB,
    first_replicas: int | None = None,
) -> Workload:
    """A Deployment of the config's own size, planned to use what it requests."""
    return Workload(
        name=name,
        kind=WorkloadKind.DEPLOYMENT,
        namespace=settings.namespace,
        phases=phases.from_phase(phase),
        replicas=replicas,
        surge=surge,
        pod=PodResources(
            cpu_request=size.cpu_request,
            cpu_limit=size.cpu_limit,
            memory_request_gib=size.memory_request_gib,
            memory_limit_gib=size.memory_limit_gib,
            ephemeral_storage_gib=ephemeral_storage_gib,
        ),
        planned_ram_gib=size.memory_request_gib,
        gpus=gpus,
        vram_gib=vram_gib,
        first_replicas=first_replicas,
    )


def _job(settings: Settings, name: str, phase: int, pod: PodResources, *, pods: int) -> Workload:
    return Workload(
        name=name,
        kind=WorkloadKind.JOB,
        namespace=settings.namespace,
        phases=phases.from_phase(phase),
        replicas=pods,
        pod=pod,
        planned_ram_gib=pod.memory_request_gib,
    )
