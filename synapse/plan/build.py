"""Settings and catalogue in, plan out: the one pure function that everything else reads."""

from synapse.catalogue import Catalogue
from synapse.names import SYSTEM_NAMESPACE
from synapse.plan.disk import plan_volumes
from synapse.plan.engine import plan_engine
from synapse.plan.model import Caller, GpuBudget, NodePlan, PhasePlan, Plan
from synapse.plan.ollama import plan_ollama
from synapse.plan.phases import PHASES
from synapse.plan.ram import plan_quota, plan_ram
from synapse.plan.routes import plan_gateway
from synapse.plan.served import SpeechPlan
from synapse.plan.speech import plan_speech, vram_beside_engine_gib
from synapse.plan.speech_verdicts import speech_verdicts
from synapse.plan.states import (
    DEVICES_WHEN_SHARED,
    others_beside_engine_gib,
    plan_states,
    plan_transitions,
)
from synapse.plan.verdicts import (
    cpu_verdicts,
    disk_verdicts,
    engine_verdicts,
    gpu_verdicts,
    ollama_verdicts,
    ram_verdicts,
)
from synapse.plan.workloads import plan_workloads
from synapse.settings.machine import Sharing
from synapse.settings.settings import Settings


def make_plan(settings: Settings, catalogue: Catalogue) -> Plan:
    """Compute the plan of all phases. Pure: the same arguments give the same plan."""
    node, gpu = _node(settings), _gpu(settings, catalogue)
    ollama = plan_ollama(settings, catalogue)
    others_gib = others_beside_engine_gib(settings, vram_beside_engine_gib(settings, catalogue))
    engine = plan_engine(settings, catalogue, gpu, others_gib)
    speech = plan_speech(settings, catalogue, gpu, engine, others_gib)
    gpu = gpu.model_copy(update={"devices": _devices(settings, speech)})
    workloads = plan_workloads(settings, ollama, engine, speech)
    states = plan_states(settings, gpu, engine, workloads)
    transitions = plan_transitions(states)
    ram = plan_ram(node, workloads, states)
    volumes = plan_volumes(settings, ollama, engine, speech)
    return Plan(
        phase=settings.phase,
        namespace=settings.namespace,
        image_pull_secret=settings.image_pull_secret,
        node=node,
        gpu=gpu,
        phases=tuple(
            PhasePlan(
                number=phase.number,
                title=phase.title,
                brings=phase.brings,
                built=phase.built,
                quota=plan_quota(phase.number, settings.namespace, gpu.devices, workloads, states),
            )
            for phase in PHASES
        ),
        workloads=workloads,
        states=states,
        transitions=transitions,
        ram=ram,
        volumes=volumes,
        ollama=ollama,
        engine=engine,
        gateway=plan_gateway(settings, catalogue, ollama, engine, speech),
        speech=speech,
        callers=tuple(
            Caller(namespace=one.namespace, selector=one.selector, service=one.service)
            for one in settings.clients
        ),
        verdicts=(
            *gpu_verdicts(states, transitions, gpu, engine),
            *engine_verdicts(engine, gpu, states),
            *ollama_verdicts(ollama, workloads),
            *ram_verdicts(ram),
            *cpu_verdicts(node, workloads, states),
            *disk_verdicts(volumes, settings),
            *speech_verdicts(speech, workloads, settings, catalogue),
        ),
    )


def _node(settings: Settings) -> NodePlan:
    node = settings.node
    return NodePlan(
        name=node.name,
        cpus=node.cpus,
        memory_gib=node.memory_gib,
        allocatable_gib=node.allocatable_memory_gib or node.memory_gib,
        system_gib=node.system_memory_gib,
        budget_gib=node.ram_budget_fraction * node.memory_gib,
        storage_class=node.storage_class,
        storage_gib=node.storage_gib,
    )


def _gpu(settings: Settings, catalogue: Catalogue) -> GpuBudget:
    gpu = settings.gpu
    total_gib = catalogue.gpu(gpu.model).total_gib
    budget_gib = gpu.budget_gib or total_gib
    return GpuBudget(
        model=gpu.model,
        total_gib=total_gib,
        count=gpu.count,
        budget_gib=budget_gib,
        reserve_gib=gpu.reserve_gib,
        ceiling_gib=min(budget_gib, total_gib - gpu.reserve_gib),
        sharing=gpu.sharing.value,
        devices=gpu.count,
        runtime_class=gpu.runtime_class,
        device_plugin=gpu.device_plugin,
        device_plugin_image=catalogue.image("nvidia-device-plugin").reference,
        device_plugin_namespace=(
            SYSTEM_NAMESPACE
            if gpu.sharing is Sharing.CONCURRENT or gpu.device_plugin == "stack"
            else None
        ),
    )


def _devices(settings: Settings, speech: SpeechPlan) -> int:
    """Claims that the device plugin has to offer: shared, one for each that runs together."""
    if settings.gpu.sharing is Sharing.EXCLUSIVE:
        return settings.gpu.count
    return settings.gpu.count * (DEVICES_WHEN_SHARED + (speech.stt.device == "gpu"))
