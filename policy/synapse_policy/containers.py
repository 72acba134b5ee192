"""A container and what it asks for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from synapse_policy import image_reference, quantity
from synapse_policy.command_line import CommandLine
from synapse_policy.image_reference import ImageReference
from synapse_policy.reading import (
    Props,
    UnreadableError,
    child,
    children,
    known_children,
    known_text,
    known_texts,
    text,
    texts,
)

_GPU_VENDOR = "nvidia.com/"
_ENGINES = ("vllm", "sglang")
_BESIDE_AN_ENGINE = ("router", "exporter", "metrics", "proxy", "gateway", "client")
"""Words in the names of images that are no engine although they are named after one."""
_VLLM_VARIABLES = (
    "VLLM_ATTENTION_BACKEND",
    "VLLM_CACHE_ROOT",
    "VLLM_FLASH_ATTN_VERSION",
    "VLLM_SERVER_DEV_MODE",
    "VLLM_USE_V1",
    "VLLM_WORKER_MULTIPROC_METHOD",
)
"""What only the engine itself reads; a client has VLLM_API_KEY, a Service makes VLLM_PORT."""
_VERSION = re.compile(r"v?(\d+\.\d+(?:\.\d+)?)")


class Environment(Mapping[str, str | None]):
    """Variables by name; a value is read when it is asked for, None for one from elsewhere."""

    def __init__(self, variables: Iterable[tuple[str | None, Props]]) -> None:
        self._variables = {name: one for name, one in variables if name}

    def __getitem__(self, name: str) -> str | None:
        variable = self._variables[name]
        return (text(variable, "value") or "") if variable.get("valueFrom") is None else None

    def __contains__(self, name: object) -> bool:
        return name in self._variables  # the inherited one would read the value

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def known(self, name: str) -> str | None:
        """Return a plain value that is known already, for recognising, not judging."""
        return known_text(self._variables.get(name, {}), "value")


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
    def reference(self) -> ImageReference:
        """Its image's name taken apart."""
        return image_reference.parse(self.image)

    @property
    def program(self) -> str:
        """The last part of the image's repository: `ollama` of `docker.io/ollama/ollama:0.12`."""
        return self.reference.program

    @property
    def version(self) -> str | None:
        """The version at the head of the image's tag."""
        found = _VERSION.match(self.reference.tag)
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

    @property
    def claims_a_device(self) -> bool:
        """Whether it claims a GPU of any vendor, or a device by a resource claim."""
        resources = child(self.props, "resources")
        asked = (*child(resources, "limits"), *child(resources, "requests"))
        by_name = any(
            key.startswith((_GPU_VENDOR, "amd.com/", "gpu.intel.com/")) or key.endswith("/gpu")
            for key in asked
        )
        return by_name or any(True for _ in children(resources, "claims"))

    @cached_property
    def environment(self) -> Environment:
        """Its variables."""
        return Environment((text(one, "name"), one) for one in children(self.props, "env"))

    @cached_property
    def shown_environment(self) -> Environment:
        """Its variables as far as they are known, for recognising what it runs."""
        return Environment(
            (known_text(one, "name"), one) for one in known_children(self.props, "env")
        )

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
        return CommandLine(
            texts(self.props, "command") + texts(self.props, "args"), self.environment
        )

    @cached_property
    def shown_command_line(self) -> CommandLine:
        """What it runs as far as it is known, for recognising it."""
        words = known_texts(self.props, "command") + known_texts(self.props, "args")
        return CommandLine(words, _KnownValues(self.shown_environment))

    @cached_property
    def shown_image(self) -> ImageReference:
        """Its image's name if it is known, for recognising what it runs."""
        return image_reference.parse(known_text(self.props, "image") or "")

    @cached_property
    def recognised_engine(self) -> str | None:
        """Return "vllm" or "sglang" if what is known of it shows that it runs one of them."""
        flags = self.shown_command_line
        if flags.has("--mem-fraction-static", "--context-length"):
            return "sglang"
        if flags.has("--gpu-memory-utilization", "--max-model-len"):
            return "vllm"
        if any(name in self.shown_environment for name in _VLLM_VARIABLES):
            return "vllm"
        program = self.shown_image.program
        if any(word in program for word in _BESIDE_AN_ENGINE):
            program = ""
        return next((one for one in _ENGINES if one in program or flags.names(one)), None)

    @cached_property
    def engine(self) -> str | None:
        """As above; what cannot be told for an unknown value is not taken for anything else."""
        if self.recognised_engine is None:
            self._read_all()
        return self.recognised_engine

    @cached_property
    def recognised_ollama(self) -> bool:
        """Whether what is known of it shows that it runs Ollama."""
        return (
            self.shown_image.program == "ollama"
            or "OLLAMA_MAX_LOADED_MODELS" in self.shown_environment
            or self.shown_command_line.runs("ollama", "serve")
        )

    @cached_property
    def ollama(self) -> bool:
        """As above; what cannot be told for an unknown value is not taken for anything else."""
        if not self.recognised_ollama:
            self._read_all()
        return self.recognised_ollama

    def _read_all(self) -> None:
        """Raise if anything is unknown by which it would be recognised."""
        _ = self.image, self.command_line, self.environment


class _KnownValues(Mapping[str, str | None]):
    """The plain values of an environment; an unknown one is none."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __getitem__(self, name: str) -> str | None:
        if name not in self._environment:
            raise KeyError(name)
        return self._environment.known(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._environment)

    def __len__(self) -> int:
        return len(self._environment)


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
