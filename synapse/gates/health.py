"""Whether what the plan's phase holds is there: ready pods of each Deployment, and answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lightkube.models.apps_v1 import DeploymentStatus
from lightkube.resources.apps_v1 import Deployment

from synapse.cluster.access import Cluster
from synapse.gates.answers import (
    Spoken,
    coqui_answer,
    engine_answer,
    gateway_answer,
    ollama_answer,
    piper_answer,
    speaches_answer,
)
from synapse.names import GATEWAY, OLLAMA, PIPER, STT, TTS
from synapse.plan import phases
from synapse.plan.model import Plan, Workload, WorkloadKind


@dataclass(frozen=True)
class Health:
    """One line of the table."""

    name: str
    looked_at: str
    state: Literal["up", "down", "simulated", "resting"]
    said: str


def check_health(cluster: Cluster, plan: Plan) -> Iterator[Health]:
    """Look at every Deployment of the phase, then ask every service of it.

    Raises:
        ClusterError: the API server does not answer, or refuses.
    """
    workloads = [one for one in plan.workloads if _is_deployed(one, plan)]
    deployments = {one.name: _deployment(cluster, plan, one.name) for one in workloads}
    resting = _resting(workloads, deployments)
    for workload in workloads:
        if workload.name in resting:
            yield Health(workload.name, "Deployment", "resting", "another one has the GPU")
        else:
            simulated = cluster.simulated
            yield _pods(deployments[workload.name], plan, workload, simulated=simulated)
    asked: dict[str, tuple[str, Callable[[Cluster, Plan], Spoken]]] = {
        OLLAMA: ("/api/version, /api/tags", ollama_answer),
        plan.engine.service: ("/health, /v1/models", engine_answer),
        GATEWAY: ("/health/readiness", gateway_answer),
        TTS: ("/", coqui_answer),
        STT: ("/health", speaches_answer),
        PIPER: ("/health", piper_answer),
    }
    for workload in workloads:
        if workload.name in resting:
            continue
        looked_at, ask = asked[workload.name]
        if cluster.simulated:
            said = "no container runs here, so nothing answers"
            yield Health(workload.name, looked_at, "simulated", said)
        else:
            spoken = ask(cluster, plan)
            yield Health(workload.name, looked_at, "up" if spoken.up else "down", spoken.said)


def _is_deployed(workload: Workload, plan: Plan) -> bool:
    return (
        workload.kind is WorkloadKind.DEPLOYMENT
        and plan.phase in workload.phases
        and min(workload.phases) <= phases.HIGHEST_BUILT
    )


def _deployment(cluster: Cluster, plan: Plan, name: str) -> Deployment | None:
    return cluster.find(
        f"read the Deployment {plan.namespace}/{name}",
        lambda client: client.get(Deployment, name, namespace=plan.namespace),
    )


def _resting(workloads: Sequence[Workload], found: Mapping[str, Deployment | None]) -> set[str]:
    """Those of the swap's that are scaled to 0 while another of them is not."""
    wanted = {
        one.name: spec.replicas
        for one in workloads
        if one.first_replicas is not None
        and (deployment := found[one.name])
        and (spec := deployment.spec)
    }
    off = {name for name, replicas in wanted.items() if replicas == 0}
    return off if off != wanted.keys() else set()


def _pods(found: Deployment | None, plan: Plan, workload: Workload, *, simulated: bool) -> Health:
    name = workload.name
    if found is None:
        return Health(name, "Deployment", "down", "not deployed; run `pulumi up`")
    ready = (found.status or DeploymentStatus()).readyReplicas or 0
    said = f"{ready} of {workload.replicas} ready"
    if ready < workload.replicas:
        where = f"`kubectl -n {plan.namespace} describe deployment/{name}`"
        return Health(name, "Deployment", "down", f"{said}; see {where}")
    return Health(name, "Deployment", "simulated" if simulated else "up", said)
