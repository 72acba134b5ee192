"""Probes ask the program whether it lives, never a model: a model's answer is slow and shared."""

import re
import shlex
from collections.abc import Iterable, Iterator

from pulumi_policy import ResourceValidationArgs

from synapse_policy.containers import Container
from synapse_policy.judging import Report, resource_rule
from synapse_policy.objects import objects_in
from synapse_policy.reading import Props, child, children, number, text, texts
from synapse_policy.servers import LITELLM, MODEL_PATHS, Server, server_in

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_URL = re.compile(
    r"(?<![\w/.-])(?:https?://)?(?:[\w.-]+|\[[\da-fA-F:]+\]|\$[({]?\w+[)}]?)"
    r"(?::(\d+|\$[({]?\w+[)}]?))?(/[^\s\"'`)\\;|&]*)"
)
_QUOTED = re.compile(r"[\"'](/[^\s\"']*)[\"']")
_ASKING = re.compile(r"\bollama\s+(run|embed)\b|\blitellm\b.*\s--(health|test)\b")
_GATEWAY_PORT = 4000


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge the probes of all containers."""
    for one in objects_in(args):
        if one.workload is None:
            continue
        pod_spec = one.workload.pod_spec
        groups = ("containers", "initContainers", "ephemeralContainers")
        containers = [Container(c) for group in groups for c in children(pod_spec, group)]
        for container in containers:
            for kind in _PROBES:
                probe = child(container.props, kind)
                for path, server in _asked(probe, container, containers):
                    where = f"the {kind} of container {container.name!r} of {one.workload.label}"
                    report(f"{where} {_told(path, server)}")


def _told(path: str, server: Server | None) -> str:
    if server is LITELLM and path.startswith("/health"):
        return (
            f"asks {path}, which makes LiteLLM call every model behind it; ask /health/liveliness "
            "or /health/readiness, which call none"
        )
    cures = {
        "LiteLLM": "/health/liveliness or /health/readiness",
        "Ollama": "/api/version",
        "vLLM": "/health",
    }
    cure = cures.get(server.name if server else "", "a path that only tells whether it lives")
    return f"calls a model by {path}; ask {cure}"


def _asked(
    probe: Props, container: Container, beside: Iterable[Container]
) -> Iterator[tuple[str, Server | None]]:
    """Yield the paths of a probe whose answer comes from a model, and who is asked."""
    own = server_in(container)
    request = child(probe, "httpGet")
    if request:
        path = text(request, "path") or "/"
        server = own or _behind(request.get("port"), beside)
        if _is_by_model(path, server):
            yield path.partition("?")[0], server
    command = " ".join(texts(child(probe, "exec"), "command"))
    asking = _ASKING.search(command)
    if asking:
        yield asking[0], own
    for port, path in _paths(command):
        server = own or _behind(port, beside)
        if _is_by_model(path, server):
            yield path.partition("?")[0], server


def _behind(port: object, beside: Iterable[Container]) -> Server | None:
    """Return the gateway if a sidecar's probe asks it instead of the sidecar itself."""
    for container in beside:
        if server_in(container) is LITELLM and port is not None and str(port) != "":
            ports = list(children(container.props, "ports"))
            known = {str(_GATEWAY_PORT), f"{_GATEWAY_PORT}.0"}
            known |= {str(number(one, "containerPort")) for one in ports}
            known |= {str(round(number(one, "containerPort") or 0)) for one in ports}
            known |= {text(one, "name") or "" for one in ports}
            if str(port) in known:
                return LITELLM
    return None


def _paths(command: str) -> Iterator[tuple[str, str]]:
    """Yield port and path of the addresses in a command, and paths that stand in quotes."""
    for found in _URL.finditer(_unquoted(command)):
        yield found[1] or "", found[2]
    for found in _QUOTED.finditer(command):
        yield "", found[1]


def _unquoted(command: str) -> str:
    try:
        return " ".join(shlex.split(command))
    except ValueError:
        return command


def _is_by_model(path: str, server: Server | None) -> bool:
    plain = "/" + "/".join(part for part in path.partition("?")[0].split("/") if part)
    if any(plain == one or plain.startswith(f"{one}/") for one in MODEL_PATHS):
        return True
    return server is not None and plain in server.answers_by_model


RULES = (
    resource_rule(
        name="probe-calls-a-model",
        description="No probe asks a path whose answer comes from a model.",
        reason=(
            "A probe that calls a model loads the GPU every few seconds, fails when a model is "
            "slow or one backend is down, and then takes the whole pod out of service; LiteLLM's "
            "/health calls every model behind it."
        ),
        cure=(
            "Ask /health/liveliness and /health/readiness of LiteLLM, /health of vLLM, "
            "/api/version of Ollama."
        ),
        check=check,
    ),
)
