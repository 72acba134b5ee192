"""A container and what it asks for."""

import re
from dataclasses import dataclass
from functools import cached_property

from synapse_policy import quantity
from synapse_policy.command_line import CommandLine
from synapse_policy.reading import Props, UnreadableError, child, children, text, texts

_GPU_VENDOR = "nvidia.com/"
_ENGINES = ("vllm", "sglang")
_VERSION = re.compile(r"v?(\d+\.\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Container:
    """One container of a pod, read from its properties when asked."""

    props: Props

    @property
    def name(self) -> str:
        """Its name in the pod."""
        return text(self.props, "name") or "?"

    @property
    def image(self) -> str:
        """Its image, or an empty string."""
        return text(self.props, "image") or ""

    @property
    def program(self) -> str:
        """The last part of the image's repository: `ollama` of `docker.io/ollama/ollama:0.12`."""
        return self.image.partition("@")[0].rpartition("/")[2].partition(":")[0]

    @property
    def version(self) -> str | None:
        """The version at the head of the image's tag."""
        last = self.image.partition("@")[0].rpartition("/")[2]
        found = _VERSION.match(last.partition(":")[2])
        return found[1] if found else None

    @property
    def stays(self) -> bool:
        """Whether an init container is a sidecar that runs as long as the pod."""
        return text(self.props, "restartPolicy") == "Always"

    def memory_gib(self, bound: str) -> float | None:
        """Return its memory under `limits` or `requests`; a request defaults to the limit."""
        resources = child(self.props, "resources")
        value = child(resources, bound).get("memory")
        if value is None and bound == "requests":
            value = child(resources, "limits").get("memory")
        return None if value is None else quantity.gib(value)

    @property
    def gpus(self) -> int:
        """GPUs that it claims: of NVIDIA's resources, whole, shared or sliced, all count."""
        resources = child(self.props, "resources")
        claims = [
            sum(quantity.amount(asked[key]) for key in asked if key.startswith(_GPU_VENDOR))
            for asked in (child(resources, "limits"), child(resources, "requests"))
        ]
        return round(max(claims))

    @cached_property
    def environment(self) -> dict[str, str | None]:
        """Variables with their plain value; None for one that comes from elsewhere."""
        return {
            name: text(variable, "value") if variable.get("valueFrom") is None else None
            for variable in children(self.props, "env")
            if (name := text(variable, "name"))
        }

    def setting(self, name: str, default: str) -> str:
        """Return a variable's plain value, or the default if it is not set at all."""
        value = self.environment.get(name, default)
        if value is None:
            raise UnreadableError(
                f"{name} of container {self.name!r} has no plain value; write its value"
            )
        return value

    def count(self, name: str, default: int) -> int:
        """Return a variable's value as a whole number."""
        value = self.setting(name, str(default)).strip()
        if not re.fullmatch(r"\d+", value):
            raise UnreadableError(f"{name} is {value!r}; write a whole number")
        return int(value)

    @cached_property
    def command_line(self) -> CommandLine:
        """What it runs: `command` and `args` together."""
        plain = {name: value for name, value in self.environment.items() if value is not None}
        return CommandLine(texts(self.props, "command") + texts(self.props, "args"), plain)

    @cached_property
    def engine(self) -> str | None:
        """Return "vllm" or "sglang" if it runs one of them."""
        flags = self.command_line
        if flags.has("--mem-fraction-static", "--context-length"):
            return "sglang"
        if flags.has("--gpu-memory-utilization", "--max-model-len"):
            return "vllm"
        for engine in _ENGINES:
            if engine in self.program or flags.names(engine):
                return engine
        return None

    @property
    def ollama(self) -> bool:
        """Whether it runs Ollama."""
        return self.program == "ollama" or "OLLAMA_MAX_LOADED_MODELS" in self.environment


def pod_gib(containers: tuple[Container, ...], init: tuple[Container, ...], bound: str) -> float:
    """Return what a pod takes under `limits` or `requests`, as the scheduler counts it.

    All containers and sidecars together, or the largest init container beside the sidecars that
    started before it, whichever is more.
    """

    def of(container: Container) -> float:
        gib = container.memory_gib(bound)
        if gib is None:
            raise UnreadableError(
                f"container {container.name!r} has no resources.{bound}.memory, so no sum holds; "
                f"set it"
            )
        return gib

    sidecars_gib, start_gib = 0.0, 0.0
    for container in init:
        if container.stays:
            sidecars_gib += of(container)
            start_gib = max(start_gib, sidecars_gib)
        else:
            start_gib = max(start_gib, sidecars_gib + of(container))
    return max(start_gib, sidecars_gib + sum(of(container) for container in containers))


def pod_gpus(containers: tuple[Container, ...], init: tuple[Container, ...]) -> int:
    """Return a pod's claim: init containers run before the others and hand theirs on."""
    running = sum(container.gpus for container in containers)
    return max([running, *(container.gpus for container in init)])
