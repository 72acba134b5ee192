"""A GPU that two Deployments take turns on, on a simulated forge: made, swapped, looked at."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import yaml
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import Pod

from synapse.catalogue import load_catalogue
from synapse.cluster.access import Cluster, connect
from synapse.names import GPU_RESOURCE, SERVING, SERVING_LABEL, TTS
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.settings.load import read_stack_file
from synapse.settings.machine import Target as Machine
from synapse.swap.change import Target
from synapse.swap.hold import Hold
from synapse.swap.lease import LEASE
from synapse.swap.limits import Limits
from synapse.swap.run import Means, Swap
from synapse.swap.stop import Stop
from synapse.swap.timeline import Observer, Silent, Step, StepRecord, Timeline
from synapse.swap.workloads import Workloads
from tests.conftest import KUBECTL_SECONDS
from tests.swap.plans import licensed
from tools.simforge import SimForge
from tools.toolchain import Toolchain

SPEECH_PHASE = 4
START_SECONDS = 30
LIMIT_SECONDS = 60
IMAGE = "registry.example/main:1"
LIMITS = Limits(
    lease_seconds=5,
    poll_seconds=0.05,
    outage_seconds=90,
    gone_seconds=60,
    memory_seconds=60,
    settle_seconds=0.1,
)
IMPATIENT = replace(LIMITS, gone_seconds=3, memory_seconds=3)
SHORT_LEASE = replace(LIMITS, lease_seconds=1)


@dataclass
class Watching(Silent):
    """Does something at a step, and remembers the steps that it saw."""

    at: Callable[[str, Step], None] = lambda _when, _step: None
    seen: list[StepRecord] = field(default_factory=list)

    def began(self, step: Step, what: str) -> None:
        del what
        self.at("began", step)

    def ended(self, record: StepRecord) -> None:
        self.seen.append(record)
        self.at("ended", record.step)


@dataclass(frozen=True)
class SwapCase:
    """A namespace with the engine on the GPU and speech at no replicas."""

    forge: SimForge
    toolchain: Toolchain
    config: Path
    plan: Plan

    @property
    def namespace(self) -> str:
        return self.plan.namespace

    @property
    def engine(self) -> str:
        return self.plan.engine.service

    @contextmanager
    def cluster(self) -> Iterator[Cluster]:
        target = Machine.model_validate({"kind": "sim", "kubeconfig": str(self.forge.kubeconfig)})
        with connect(target) as cluster:
            yield cluster

    def swap(
        self,
        target: str,
        *,
        observer: Observer | None = None,
        limits: Limits = LIMITS,
        stop: Stop | None = None,
        means: Means | None = None,
        hold: Hold | None = None,
        who: str = "tester",
    ) -> Timeline:
        with self.cluster() as cluster:
            return Swap(
                cluster,
                self.plan,
                f"{who}-{uuid4().hex[:8]}",
                limits,
                observer or Silent(),
                stop or Stop(),
                means,
            ).run(Target(target), hold)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """The real kubectl, in the case's namespace."""
        command = [
            str(self.toolchain.path("kubectl")),
            f"--kubeconfig={self.forge.kubeconfig}",
            f"--namespace={self.namespace}",
            *arguments,
        ]
        answer = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def apply(self, *manifests: dict[str, object]) -> None:
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(document))

    def deploy(self, start_seconds: int = START_SECONDS) -> None:
        self.apply(
            *manifests(self.engine, replicas=1, start_seconds=start_seconds),
            *manifests(TTS, replicas=0, start_seconds=start_seconds),
        )
        self.kubectl("rollout", "status", f"deployment/{self.engine}", "--timeout=60s")

    def reset(self) -> None:
        """The engine has the GPU, as after `deploy`, whatever the test before left."""
        if self.is_deployed() and self.is_at("speech"):
            self.swap("chat")
        if not (self.is_deployed() and self.is_at("chat")):
            self.kubectl("delete", "leases", "--all")
            self.kubectl("delete", "deployments", "--all", "--cascade=foreground", "--wait=true")
            self.deploy()

    def is_deployed(self) -> bool:
        """Both Deployments, as `deploy` makes them."""
        want = f"{START_SECONDS} {IMAGE}\n" * 2
        template = (
            "{range .items[*]}{.spec.progressDeadlineSeconds} "
            '{.spec.template.spec.containers[0].image}{"\\n"}{end}'
        )
        return self.kubectl("get", "deployments", "-o", f"jsonpath={template}") == want

    def replicas(self) -> tuple[int, int]:
        """Of the engine, and of speech."""
        with self.cluster() as cluster:
            found = Workloads(cluster, self.namespace, (self.engine, TTS)).learn()
        return found[self.engine], found[TTS]

    def gpu_pods(self) -> list[str]:
        """The `app` of each pod that has the device, or had it and is not gone."""
        with self.cluster() as cluster:
            pods = cluster.call(
                "list pods", lambda client: list(client.list(Pod, namespace=self.namespace))
            )
        return [
            (pod.metadata.labels or {})["app"]
            for pod in pods
            if pod.metadata and pod.spec and pod.spec.nodeName
        ]

    def lease(self) -> Lease | None:
        with self.cluster() as cluster:
            return cluster.find(
                "read the Lease", lambda client: client.get(Lease, LEASE, namespace=self.namespace)
            )

    def endpoints(self, service: str) -> str:
        """Names of the pods behind a Service."""
        selector = f"--selector=kubernetes.io/service-name={service}"
        template = "jsonpath={.items[*].endpoints[*].targetRef.name}"
        return self.kubectl("get", "endpointslices", selector, "-o", template)

    def events(self) -> list[str]:
        template = '{range .items[?(@.action=="Swap")]}{.reason}: {.message}{"\\n"}{end}'
        return self.kubectl("get", "events", "-o", f"jsonpath={template}").splitlines()

    def is_at(self, target: str) -> bool:
        """Exactly this one runs, ready, and nothing of a swap is left."""
        chat = target == "chat"
        only = [self.engine if chat else TTS]
        return (
            self.replicas() == ((1, 0) if chat else (0, 1))
            and self.gpu_pods() == only
            and self.lease() is None
        )


def manifests(app: str, *, replicas: int, start_seconds: int) -> Iterator[dict[str, object]]:
    """A GPU Deployment that takes the whole device, gated by an init container, and its Service."""
    selected = {"app": app}
    labels = {**selected, SERVING_LABEL: SERVING}
    gpu = {"limits": {GPU_RESOURCE: "1"}}
    container = {
        "name": "main",
        "image": IMAGE,
        "ports": [{"containerPort": 8000}],
        "resources": gpu,
    }
    gate = {"name": "vram", "image": IMAGE, "resources": gpu}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": start_seconds,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selected},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"initContainers": [gate], "containers": [container]},
            },
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app},
        "spec": {"selector": labels, "ports": [{"port": 8000}]},
    }


@contextmanager
def swap_case(forge: SimForge, toolchain: Toolchain, folder: Path) -> Iterator[SwapCase]:
    """A namespace of its own; its pods are gone after it, so that the next one has the GPU."""
    namespace = f"swap-{uuid4().hex[:8]}"
    target = {"kind": "sim", "kubeconfig": str(forge.kubeconfig)}
    settings = licensed(phase=SPEECH_PHASE, namespace=namespace, target=target, clients=[])
    document = {"config": {f"synapse:{key}": value for key, value in settings.items()}}
    config = folder / "Pulumi.test.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    case = SwapCase(forge, toolchain, config, make_plan(read_stack_file(config), load_catalogue()))
    case.kubectl("create", "namespace", namespace)
    try:
        yield case
    finally:
        case.kubectl("delete", "deployments", "--all", "--wait=true")
        case.kubectl("delete", "pods", "--all", "--wait=true", "--timeout=60s")
        case.kubectl("delete", "namespace", namespace, "--wait=false")


@contextmanager
def restarted(case: SwapCase, step: Step) -> Iterator[Watching]:
    """At that step the control plane is killed; it comes back while the swap goes on."""
    starter = threading.Thread(target=case.forge.start_servers)

    def restart(when: str, at: Step) -> None:
        if (when, at) == ("began", step):
            case.forge.stop_servers()
            starter.start()

    try:
        yield Watching(restart)
    finally:
        starter.join()
