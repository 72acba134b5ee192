"""No Service whose variables a pod would take for its own: `vllm` makes VLLM_PORT=tcp://….

Kubernetes gives the pods of a Service's namespace NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_PORT
and NAME_PORT_<port>_<protocol>…, unless the pod has enableServiceLinks: false. A variable that a
container sets itself wins over them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.containers import Container
from synapse_policy.judging import Report, Scope, resource_rule, stack_rule
from synapse_policy.objects import KubernetesObject, by_cluster, objects_in, with_workloads
from synapse_policy.reading import (
    Props,
    child,
    children,
    known_children,
    known_text,
    known_texts,
    number,
    text,
)
from synapse_policy.root import is_below_root
from synapse_policy.selectors import labels_in, selects
from synapse_policy.servers import SGLANG, VLLM, Server, server_in
from synapse_policy.workload import Workload

_ON_PURPOSE = re.compile(r"\w+_SERVICE_(HOST|PORT)(_\w+)?|\w+_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
"""Names that nobody refers to but to find a Service; NAME_PORT alone means many things."""
_REFERENCE = re.compile(r"(?<!\$)\$(?:\((\w+)\)|\{(\w+)|(\w+))")
_OF_A_PORT = re.compile(r"PORT_(\d+)_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?")
_REFUSES_ANY_VLLM = "--fail-on-environ-validation"


def check_resource(args: ResourceValidationArgs, report: Report) -> None:
    """Judge a Service's name against what the stack's engine reads, whatever its pods say."""
    if not is_below_root(args.urn):
        return
    for service in objects_in(args):
        if not service.is_a("Service", "core") or not _has_address(service):
            continue
        for server, name in _read_by_engines():
            if makes(service, name):
                report(
                    f"{service.label} makes Kubernetes set {name}={_value(name)} in every pod of "
                    f"its namespace, and {server.name} reads {name}: it does not start; call the "
                    f"Service {_other(service.name)!r} (engine.service_name)"
                )


def check_stack(args: StackValidationArgs, report: Report) -> None:
    """Judge every Service against what the pods of its namespace read."""
    for objects in by_cluster(args.resources):
        services = [one for one in objects if one.is_a("Service", "core")]
        if services:
            found = list(with_workloads(objects))
            for service in services:
                if not is_below_root(service.urn):
                    _judge_without_pods(service, found, report)
            usual = _set_by_program(workload for _, workload in found)
            for owner, workload in found:
                for container in (*workload.containers, *workload.init_containers):
                    reads = _reads(container, usual)
                    reader = _Reader(owner, workload, container, reads, objects)
                    _judge(reader, services, report)


def _judge_without_pods(
    service: KubernetesObject,
    found: Iterable[tuple[KubernetesObject, Workload]],
    report: Report,
) -> None:
    """Judge a Service by its name alone where others make its pods."""
    for server, name in _read_by_engines():
        if not makes(service, name) or not _has_address(service):
            continue
        selector = {"matchLabels": labels_in(service.spec, "selector")}
        if not any(
            selects(selector, workload.pod_labels) and owner.namespace == service.namespace
            for owner, workload in found
        ):
            report(
                f"{service.label} makes Kubernetes set {name}={_value(name)} in the pods of its "
                f"namespace, which are not in this program, and {server.name} reads {name}; call "
                f"the Service {_other(service.name)!r}",
                service.urn,
            )


def _read_by_engines() -> Iterator[tuple[Server, str]]:
    return ((server, name) for server in (VLLM, SGLANG) for name in server.reads)


@dataclass(frozen=True)
class _Reader:
    """A container, the variables that it reads with who does, and what is deployed beside it."""

    owner: KubernetesObject
    workload: Workload
    container: Container
    reads: dict[str, str]
    objects: tuple[KubernetesObject, ...]

    def clash(self, service: KubernetesObject) -> tuple[str, str] | None:
        """Return the first variable that a Service makes for it, and who reads it."""
        prefix = _prefix(service) if self.reads else ""
        for name, by in self.reads.items():
            if name.startswith(prefix) and makes(service, name) and not _sets(self, name):
                return name, by
        refuses_any = self.container.shown_command_line.has(_REFUSES_ANY_VLLM)
        if refuses_any and _prefix(service).startswith("VLLM_"):
            return f"{_prefix(service)}PORT", f"vLLM with {_REFUSES_ANY_VLLM} refuses"
        return None


def _judge(reader: _Reader, services: Iterable[KubernetesObject], report: Report) -> None:
    for service in services:
        clash = reader.clash(service)
        if clash is None or service.namespace != reader.owner.namespace:
            continue
        if not _has_address(service) or reader.workload.pod_spec.get("enableServiceLinks") is False:
            continue
        name, by = clash
        report(
            f"{service.label} makes Kubernetes set {name}={_value(name)} in container "
            f"{reader.container.name!r} of {reader.workload.label}, and {by} {name}; call the "
            f"Service {_other(service.name)!r}, or set enableServiceLinks: false in the pod's spec",
            service.urn,
        )


def makes(service: KubernetesObject, name: str) -> bool:
    """Whether Kubernetes makes a variable of this name from a Service."""
    prefix = _prefix(service)
    if not name.startswith(prefix):
        return False
    rest = name.removeprefix(prefix)
    if rest in ("SERVICE_HOST", "SERVICE_PORT", "PORT"):
        return True
    if rest.startswith("SERVICE_PORT_"):
        named = (text(port, "name") or "" for port in children(service.spec, "ports"))
        return rest.removeprefix("SERVICE_PORT_") in map(_variable, named)
    found = _OF_A_PORT.fullmatch(rest)
    return found is not None and any(
        number(port, "port") == int(found[1]) and (text(port, "protocol") or "TCP") == found[2]
        for port in children(service.spec, "ports")
    )


def _prefix(service: KubernetesObject) -> str:
    return f"{_variable(service.name)}_"


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _value(name: str) -> str:
    return "tcp://…" if name.endswith("PORT") and "_SERVICE_" not in name else "…"


def _other(name: str) -> str:
    return "vllm-inference" if name == "vllm" else f"{name}-server"


def _has_address(service: KubernetesObject) -> bool:
    """Whether it has an address of its own; a headless or external one makes no variables."""
    spec = service.spec
    return text(spec, "type") != "ExternalName" and text(spec, "clusterIP") != "None"


def _set_by_program(workloads: Iterable[Workload]) -> dict[str, set[str]]:
    """Return which variables the containers of each image set: what one sets, the program reads."""
    found: dict[str, set[str]] = {}
    for workload in workloads:
        for container in (*workload.containers, *workload.init_containers):
            names = found.setdefault(container.shown_image.repository, set())
            names.update(container.shown_environment)
    return found


def _reads(container: Container, usual: dict[str, set[str]]) -> dict[str, str]:
    """Return the variables that it reads, each with who does."""
    repository = container.shown_image.repository
    reads = dict.fromkeys(usual.get(repository, ()), "another container of its image sets")
    reads |= dict.fromkeys(_referred_to(container), "its own command or variables refer to")
    server = server_in(container)
    if server is not None:
        reads |= dict.fromkeys(server.reads, f"{server.name} reads")
    return reads


def _referred_to(container: Container) -> Iterator[str]:
    """Yield the names in $(NAME), and in a shell's $NAME and ${NAME}."""
    words = known_texts(container.props, "command") + known_texts(container.props, "args")
    values = (known_text(one, "value") or "" for one in known_children(container.props, "env"))
    for word in (*words, *values):
        for found in _REFERENCE.finditer(word):
            name = found[1] or found[2] or found[3]
            if not _ON_PURPOSE.fullmatch(name):
                yield name


def _sets(reader: _Reader, name: str) -> bool:
    """Whether the container itself sets a variable, which then wins."""
    for variable in children(reader.container.props, "env"):
        if known_text(variable, "name") == name and not _may_be_missing(variable):
            return True
    maps = {text(child(one, "configMapRef"), "name") for one in _sources(reader.container)}
    return any(
        one.is_a("ConfigMap", "core")
        and one.name in maps
        and one.namespace == reader.owner.namespace
        and name in child(one.props, "data")
        for one in reader.objects
    )


def _sources(container: Container) -> Iterator[Props]:
    return children(container.props, "envFrom")


def _may_be_missing(variable: Props) -> bool:
    source = child(variable, "valueFrom")
    return any(
        child(source, key).get("optional") is True for key in ("secretKeyRef", "configMapKeyRef")
    )


_REASON = (
    "Kubernetes sets NAME_PORT=tcp://… and more in every pod of a Service's namespace; a program "
    "that takes such a variable for its own setting, as vLLM takes VLLM_PORT and LiteLLM "
    "REDIS_PORT, does not start or calls the wrong address."
)
_CURE = "Call the Service by another name, or set enableServiceLinks: false in the pod's spec."

RULES = (
    resource_rule(
        name="service-env-clash",
        description="No Service of the stack is named so that its variables stop the engine.",
        reason=_REASON,
        cure=_CURE,
        check=check_resource,
        scope=Scope.ROOT,
    ),
    stack_rule(
        name="service-env-clash-deployed",
        description="No pod reads a variable that Kubernetes makes from a Service beside it.",
        reason=_REASON,
        cure=_CURE,
        check=check_stack,
    ),
)
