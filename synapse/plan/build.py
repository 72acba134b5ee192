"""Settings and catalogue in, plan out: the one pure function that everything else reads."""

from synapse.catalogue import Catalogue
from synapse.plan.disk import plan_volumes
from synapse.plan.engine import plan_engine
from synapse.plan.model import Caller, GpuBudget, NodePlan, PhasePlan, Plan
from synapse.plan.ollama import plan_ollama
from synapse.plan.phases import PHASES
from synapse.plan.ram import plan_quota, plan_ram
from synapse.plan.routes import plan_gateway
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
    engine = plan_engine(settings, catalogue, gpu, others_beside_engine_gib(settings))
    workloads = plan_workloads(settings, ollama, engine)
    states = plan_states(settings, gpu, engine, workloads)
    transitions = plan_transitions(states)
    ram = plan_ram(node, workloads, states)
    volumes = plan_volumes(settings, ollama, engine)
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
        gateway=plan_gateway(settings, catalogue, ollama, engine),
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
    shared = gpu.sharing is Sharing.CONCURRENT
    return GpuBudget(
        model=gpu.model,
        total_gib=total_gib,
        count=gpu.count,
        budget_gib=budget_gib,
        reserve_gib=gpu.reserve_gib,
        ceiling_gib=min(budget_gib, total_gib - gpu.reserve_gib),
        sharing=gpu.sharing.value,
        devices=gpu.count * (DEVICES_WHEN_SHARED if shared else 1),
        runtime_class=gpu.runtime_class,
    )
