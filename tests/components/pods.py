"""Reading what was recorded: pods with their owner, and Kubernetes quantities as numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.components.recorder import Json, Recorded, Registered

_GIB = {"Ki": 1 / 1024**2, "Mi": 1 / 1024, "Gi": 1.0, "Ti": 1024.0}


@dataclass(frozen=True)
class Pod:
    """A pod template, and the Deployment, Job or CronJob that owns it."""

    owner: Registered
    labels: dict[str, str]
    spec: Json
    at_once: int
    """Pods of this template that may exist at the same time."""

    @property
    def name(self) -> str:
        return self.owner.object_name

    @property
    def container(self) -> Json:
        """The pod's one container beside the wait for the GPU's memory."""
        containers: list[Json] = self.spec["containers"]
        assert len(containers) == 1
        assert {one["name"] for one in self.spec.get("initContainers", [])} <= {"wait-for-vram"}
        return containers[0]

    @property
    def every_container(self) -> list[Json]:
        """The container, and those that run before it."""
        before: list[Json] = self.spec.get("initContainers", [])
        return [*before, self.container]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that stand there in the clear."""
        return {one["name"]: one["value"] for one in self.container["env"] if "value" in one}

    @property
    def secret_variables(self) -> dict[str, tuple[str, str]]:
        """Variables out of a Secret: its name and key."""
        found = {
            one["name"]: one["valueFrom"] for one in self.container["env"] if "value" not in one
        }
        return {
            name: (source["secretKeyRef"]["name"], source["secretKeyRef"]["key"])
            for name, source in found.items()
        }

    @property
    def claims(self) -> dict[str, str]:
        """Claims of the pod, and where each is mounted."""
        places = {one["name"]: one["mountPath"] for one in self.container["volumeMounts"]}
        return {
            volume["persistentVolumeClaim"]["claimName"]: places[volume["name"]]
            for volume in self.spec.get("volumes", [])
            if "persistentVolumeClaim" in volume
        }


def pods(recorded: Recorded) -> Iterator[Pod]:
    """Every pod that anything registered may bring about."""
    for one in recorded.objects:
        if one.kind in {"Deployment", "StatefulSet", "DaemonSet"}:
            surge = one.spec["strategy"].get("rollingUpdate", {}).get("maxSurge", 0)
            yield _pod(one, one.spec["template"], one.spec["replicas"] + surge)
        elif one.kind == "Job":
            yield _pod(one, one.spec["template"], one.spec.get("parallelism", 1))
        elif one.kind == "CronJob":
            yield _pod(one, one.spec["jobTemplate"]["spec"]["template"], 1)
        else:
            assert "template" not in one.inputs.get("spec", {}), f"pods of a {one.kind}"


def pod(recorded: Recorded, name: str) -> Pod:
    """The pod of one owner."""
    found = [one for one in pods(recorded) if one.name == name]
    assert len(found) == 1, f"{name}: {len(found)} owners of pods"
    return found[0]


def _pod(owner: Registered, template: Json, at_once: int) -> Pod:
    return Pod(owner, template["metadata"]["labels"], template["spec"], at_once)


def gib(quantity: str) -> float:
    """A quantity of memory or disk in GiB."""
    return float(quantity[:-2]) * _GIB[quantity[-2:]]


def cores(quantity: str) -> float:
    """A quantity of CPU in cores."""
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def seconds(duration: str) -> float:
    """A duration as Pulumi and Go write it: 30s, 40m, 6h."""
    return float(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]
