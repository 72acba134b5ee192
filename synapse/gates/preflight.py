"""What must be true of the cluster before anything is deployed: pure checks, one a function.

The program runs them before it registers a resource; `python -m synapse preflight` shows them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from synapse.catalogue import UnknownEntryError, load_catalogue
from synapse.gates.snapshot import ClusterSnapshot, NodeSeen
from synapse.names import DEVICE_PLUGIN, GPU_RESOURCE, SYSTEM_NAMESPACE
from synapse.plan import phases
from synapse.plan.model import Plan, WorkloadKind
from synapse.settings.machine import TargetKind
from synapse.settings.settings import Settings

INGRESS_ROUTES = "ingressroutes.traefik.io"

# The deployment guide's prerequisites.
_OLDEST_KUBERNETES = (1, 26)
_LEAST_MEMORY_GIB, _LEAST_CPUS, _LEAST_STORAGE_GIB = 64, 8, 200
# The config names the RAM in whole GiB, and a kubelet keeps back 100 MiB unless told otherwise.
_ROUNDING_GIB = 0.5
_SHARED_SUFFIX = "-SHARED"


@dataclass(frozen=True)
class Finding:
    """One check's result: what was seen beside what is wanted, and what to do about it."""

    name: str
    ok: bool
    seen: str
    wanted: str
    cure: str
    """Empty where all is well."""
    severity: Literal["refuse", "warn"] = "refuse"

    @property
    def refused(self) -> bool:
        """Whether the phase must not be entered."""
        return not self.ok and self.severity == "refuse"


def preflight(settings: Settings, plan: Plan, snapshot: ClusterSnapshot) -> tuple[Finding, ...]:
    """Judge whether the cluster is ready for the plan's phase."""
    return tuple(_findings(settings, plan, snapshot))


def _findings(settings: Settings, plan: Plan, snapshot: ClusterSnapshot) -> Iterator[Finding]:
    yield kubernetes_version(snapshot)
    node = node_of(plan, snapshot)
    yield node_is_there(plan, snapshot, node)
    if node:
        yield node_cores(plan, node)
        yield node_memory(plan, node)
        if node.storage_gib is not None:
            yield node_storage(plan, node.storage_gib)
    yield storage_class(plan, snapshot)
    if plan.phase >= phases.ENGINE:
        if node:
            yield gpu_claims(plan, node)
            if node.gpu_product:
                yield gpu_model(plan, node.gpu_product)
        yield runtime_class(plan, snapshot)
        yield gpu_is_with_chat(plan, snapshot)
        yield hf_token(settings, plan)
    if _public_hosts(plan):
        yield traefik(snapshot)
        yield tls_secret(settings, plan, snapshot)
    if plan.image_pull_secret:
        yield pull_secret(settings, plan, snapshot)
    yield from legacy_scaled_down(settings, plan, snapshot)


def kubernetes_version(snapshot: ClusterSnapshot) -> Finding:
    """The API server is new enough."""
    oldest = ".".join(map(str, _OLDEST_KUBERNETES))
    match = re.match(r"v?(\d+)\.(\d+)", snapshot.version)
    ok = match is not None and (int(match[1]), int(match[2])) >= _OLDEST_KUBERNETES
    return _finding(
        "kubernetes-version",
        ok,
        snapshot.version,
        f"at least {oldest}",
        f"upgrade the cluster to {oldest} or later",
    )


def node_of(plan: Plan, snapshot: ClusterSnapshot) -> NodeSeen | None:
    """The node that the plan is about: by its name, or the only one there is."""
    for node in snapshot.nodes:
        if node.name == plan.node.name:
            return node
    return snapshot.nodes[0] if len(snapshot.nodes) == 1 else None


def node_is_there(plan: Plan, snapshot: ClusterSnapshot, node: NodeSeen | None) -> Finding:
    """The node is known and takes pods. Another name is a warning while it is the only node."""
    wanted = f"node {plan.node.name}, ready"
    if node is None:
        names = ", ".join(one.name for one in snapshot.nodes) or "no node"
        return _finding("node", False, names, wanted, "set synapse:node.name to one of these")
    seen = f"{node.name}, {'ready' if node.ready else 'not ready or cordoned'}"
    if not node.ready:
        cure = f"see `kubectl describe node {node.name}`; `kubectl uncordon` lets pods in"
        return _finding("node", False, seen, wanted, cure)
    named = node.name == plan.node.name
    cure = f"set synapse:node.name to {node.name}"
    return _finding("node", named, seen, wanted, cure, severity="warn")


def node_cores(plan: Plan, node: NodeSeen) -> Finding:
    """The node offers the cores that the sums rest on, and the guide's least."""
    wanted = max(plan.node.cpus, _LEAST_CPUS)
    enough_at_all = node.cpus >= _LEAST_CPUS
    return _finding(
        "node-cores",
        node.cpus >= wanted,
        f"{node.cpus:g} cores for pods",
        f"at least {wanted:g} ({_because(plan.node.cpus >= _LEAST_CPUS, 'node.cpus')})",
        f"set synapse:node.cpus to {node.cpus:g} and plan again"
        if enough_at_all
        else f"use a node with {_LEAST_CPUS} cores or more",
    )


def node_memory(plan: Plan, node: NodeSeen) -> Finding:
    """The node offers the RAM that the sums rest on, and the guide's least."""
    planned_gib = plan.node.allocatable_gib
    wanted_gib = max(planned_gib, _LEAST_MEMORY_GIB)
    enough_at_all = node.memory_gib + _ROUNDING_GIB >= _LEAST_MEMORY_GIB
    return _finding(
        "node-memory",
        node.memory_gib + _ROUNDING_GIB >= wanted_gib,
        f"{node.memory_gib:.1f} GiB for pods",
        f"at least {wanted_gib:g} GiB ({_because(planned_gib >= _LEAST_MEMORY_GIB, 'the plan')})",
        f"set synapse:node.allocatable_memory_gib to {int(node.memory_gib)} and plan again"
        if enough_at_all
        else f"use a node with {_LEAST_MEMORY_GIB} GiB of RAM or more",
    )


def _because(planned: bool, key: str) -> str:
    return key if planned else "the guide's least"


def node_storage(plan: Plan, seen_gib: float) -> Finding:
    """The node's disk holds all volumes. A warning: the class may keep them elsewhere."""
    wanted_gib = max(sum(volume.size_gib for volume in plan.volumes), _LEAST_STORAGE_GIB)
    return _finding(
        "node-storage",
        seen_gib >= wanted_gib,
        f"{seen_gib:.0f} GiB on the kubelet's disk",
        f"at least {wanted_gib:g} GiB, if {plan.node.storage_class} lies on that disk",
        "make the volumes smaller, or see that the storage class has a larger disk",
        severity="warn",
    )


def storage_class(plan: Plan, snapshot: ClusterSnapshot) -> Finding:
    """The volumes' StorageClass exists."""
    name = plan.node.storage_class
    return _there(
        "storage-class",
        f"StorageClass {name}",
        name in snapshot.storage_classes,
        "set synapse:node.storage_class to one that `kubectl get storageclass` lists",
    )


def gpu_claims(plan: Plan, node: NodeSeen) -> Finding:
    """The device plugin offers as many GPU claims as the plan hands out at once."""
    shared = plan.gpu.devices > plan.gpu.count
    return _finding(
        "gpu",
        node.gpus >= plan.gpu.devices,
        f"{node.gpus} {GPU_RESOURCE}",
        f"at least {plan.gpu.devices} (gpu.sharing {plan.gpu.sharing})",
        f"set timeSlicing replicas of the NVIDIA device plugin to {plan.gpu.devices}: phase 1 "
        f"makes a ConfigMap for it, {SYSTEM_NAMESPACE}/{DEVICE_PLUGIN}-config"
        if shared and node.gpus
        else "install the driver and the NVIDIA device plugin, 0.14 or later "
        "(gpu.device_plugin: stack installs the plugin in phase 1)",
    )


def gpu_model(plan: Plan, product: str) -> Finding:
    """The GPU is the one whose memory the sums rest on, where the node is labelled with it."""
    try:
        name = load_catalogue().gpu(product.removesuffix(_SHARED_SUFFIX)).name
    except UnknownEntryError:
        name = None
    return _finding(
        "gpu-model",
        name == plan.gpu.model,
        product,
        plan.gpu.model,
        f"set synapse:gpu.model to {name} and plan again"
        if name
        else "add the GPU to synapse/catalogue/gpus.yaml and name it in synapse:gpu.model",
        # A label that the catalogue does not know may still be that GPU.
        severity="refuse" if name else "warn",
    )


def runtime_class(plan: Plan, snapshot: ClusterSnapshot) -> Finding:
    """The RuntimeClass of GPU pods exists."""
    name = plan.gpu.runtime_class
    return _there(
        "runtime-class",
        f"RuntimeClass {name}",
        name in snapshot.runtime_classes,
        "install the NVIDIA container toolkit (K3s then makes the class), "
        "or set synapse:gpu.runtime_class",
    )


def gpu_is_with_chat(plan: Plan, snapshot: ClusterSnapshot) -> Finding:
    """Without speech on the GPU the engine is not left at 0: its replicas are the swap's."""
    takes_turns = any(
        one.first_replicas is not None and plan.phase in one.phases
        for one in plan.workloads
        if one.name != plan.engine.service
    )
    replicas = snapshot.engine_replicas
    name = f"{plan.namespace}/{plan.engine.service}"
    return _finding(
        "gpu-is-with-chat",
        takes_turns or replicas != 0,
        "not deployed yet" if replicas is None else f"{name} is scaled to {replicas}",
        "any" if takes_turns else "not 0: nobody else has the GPU in this phase",
        "run `python -m synapse swap chat` while the config is still at the speech phase, "
        f"or `kubectl -n {plan.namespace} scale deployment/{plan.engine.service} --replicas=1`",
    )


def hf_token(settings: Settings, plan: Plan) -> Finding:
    """A model behind a licence has a token to be downloaded with."""
    if not plan.engine.gated:
        return _finding("hf-token", True, "not needed", f"none for {plan.engine.model}", "")
    return _there(
        "hf-token",
        f"a token for {plan.engine.repository}, which is gated",
        settings.hf_token,
        "accept its licence, then `pulumi config set --secret synapse:hf_token`",
    )


def _public_hosts(plan: Plan) -> bool:
    gateway = plan.gateway.host is not None and plan.phase >= phases.GATEWAY
    return gateway or plan.ollama.ingress_host is not None


def traefik(snapshot: ClusterSnapshot) -> Finding:
    """Traefik's own ingress resource is known."""
    return _there(
        "traefik",
        f"CRD {INGRESS_ROUTES}",
        INGRESS_ROUTES in snapshot.custom_resources,
        "install Traefik 3 with its CRDs, or leave out the public host",
    )


def tls_secret(settings: Settings, plan: Plan, snapshot: ClusterSnapshot) -> Finding:
    """The certificate of the public host lies in the stack's namespace."""
    name = plan.gateway.tls_secret
    return _finding(
        "tls-secret",
        name in snapshot.secrets,
        _seen_secret(name, snapshot),
        f"Secret {plan.namespace}/{name}",
        f"`kubectl -n {plan.namespace} create secret tls {name} --cert FILE --key FILE`; "
        "until then Traefik shows a certificate of its own",
        severity="refuse" if _could_be_there(settings, snapshot) else "warn",
    )


def pull_secret(settings: Settings, plan: Plan, snapshot: ClusterSnapshot) -> Finding:
    """The registry's credentials lie in the stack's namespace; the engine's image needs them."""
    name = plan.image_pull_secret or ""
    needed = plan.phase >= phases.ENGINE and _could_be_there(settings, snapshot)
    return _finding(
        "pull-secret",
        name in snapshot.secrets,
        _seen_secret(name, snapshot),
        f"Secret {plan.namespace}/{name}",
        f"`kubectl -n {plan.namespace} create secret docker-registry {name} --docker-server HOST "
        "--docker-username USER --docker-password PASSWORD`",
        severity="refuse" if needed else "warn",
    )


def _could_be_there(settings: Settings, snapshot: ClusterSnapshot) -> bool:
    """Nobody can make a Secret before its namespace, and no simulated pod reads one."""
    return snapshot.namespace_exists and settings.target.kind is not TargetKind.SIM


def _seen_secret(name: str, snapshot: ClusterSnapshot) -> str:
    if name in snapshot.secrets:
        return "there"
    return "not there" if snapshot.namespace_exists else "not there, nor is the namespace"


def legacy_scaled_down(
    settings: Settings, plan: Plan, snapshot: ClusterSnapshot
) -> Iterator[Finding]:
    """Old services that the phase's sums count no longer hold nothing any more."""
    counted = {
        workload.name
        for workload in plan.workloads
        if workload.kind is WorkloadKind.LEGACY and plan.phase in workload.phases
    }
    for old in settings.legacy:
        name = f"{old.namespace}/{old.name}"
        if name in counted:
            continue
        pods = snapshot.replicas.get(name, 0)
        holds = (
            f"{old.gpus} GPU and {old.memory_gib:g} GiB of RAM"
            if old.gpus
            else (f"{old.memory_gib:g} GiB of RAM")
        )
        yield _finding(
            "legacy",
            pods == 0,
            f"{name}: {f'{pods} pods, with {holds}' if pods else 'no pods'}",
            f"none from phase {old.scaled_down_at} on",
            f"`kubectl -n {old.namespace} scale deployment/{old.name} --replicas=0`",
        )


def _there(check: str, what: str, ok: bool, cure: str) -> Finding:
    return _finding(check, ok, "there" if ok else "not there", what, cure)


def _finding(
    name: str,
    ok: bool,
    seen: str,
    wanted: str,
    cure: str,
    *,
    severity: Literal["refuse", "warn"] = "refuse",
) -> Finding:
    return Finding(name, ok, seen, wanted, "" if ok else cure, severity)
