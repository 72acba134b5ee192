"""HTTPS alone from outside: no plain entry point, no port of the node, a certificate at hand."""

from collections.abc import Iterable, Iterator, Sequence

from pulumi_policy import ResourceValidationArgs, StackValidationArgs
from pydantic import BaseModel, ConfigDict, Field

from synapse_policy.judging import Report, resource_rule, stack_rule
from synapse_policy.objects import KubernetesObject, by_cluster, objects_in
from synapse_policy.reading import Props, child, children, number, text, texts
from synapse_policy.root import is_below_root, plan_for
from synapse_policy.routes import NOWHERE, TRAEFIK, Name, middlewares_of, routes_in, servers_behind
from synapse_policy.servers import servers_in
from synapse_policy.workload import Workload

_PLAIN = ("web", "http")
_OPEN_TYPES = ("NodePort", "LoadBalancer")
_GATEWAY_API = "gateway.networking.k8s.io"
_ENTRY_POINTS = "traefik.ingress.kubernetes.io/router.entrypoints"
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


class HttpsOnly(BaseModel):
    """What of the ingress controller is known to be HTTPS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secure_entry_points: tuple[str, ...] = Field(
        default=("websecure",), min_length=1, description="entry points of Traefik that are HTTPS"
    )


def check_resource(args: ResourceValidationArgs, report: Report, settings: HttpsOnly) -> None:
    """Judge what one object opens by itself."""
    below = is_below_root(args.urn)
    for one in objects_in(args):
        if one.workload is not None:
            if below or servers_in(one.workload):
                _judge_pod(one.workload, report)
        elif one.is_a("IngressRoute", *TRAEFIK):
            _judge_ingress_route(one, report, settings, below=below)
        elif below:
            _judge_ours(one, report, settings)


def _judge_ours(one: KubernetesObject, report: Report, settings: HttpsOnly) -> None:
    if one.is_a("Service", "core"):
        for opening in _openings(one):
            report(f"{one.label} {opening}; {_BEHIND_TRAEFIK}")
    elif one.is_a("IngressRouteTCP", *TRAEFIK) or one.is_a("IngressRouteUDP", *TRAEFIK):
        report(f"{one.label} lets bare connections in; {_BEHIND_TRAEFIK}")
    elif one.is_a("Ingress", "networking.k8s.io", "extensions"):
        for fault in _faults_of_ingress(one):
            report(f"{one.label} {fault}")
        points = _entry_points_of_ingress(one)
        if not points or set(points) - set(settings.secure_entry_points):
            report(
                f"{one.label} is served on {_shown(points)} by Traefik, plain HTTP among them; set "
                f"the annotation {_ENTRY_POINTS}: {settings.secure_entry_points[0]}"
            )
    elif one.is_a("Gateway", _GATEWAY_API):
        for listener in children(one.spec, "listeners"):
            protocol = text(listener, "protocol")
            if protocol not in ("HTTPS", "TLS"):
                report(f"{one.label} listens for {protocol}; set protocol HTTPS with a certificate")
    elif one.group == _GATEWAY_API and one.kind.endswith("Route"):
        report(
            f"{one.label} leaves it to a Gateway whether it is served by HTTPS, which its "
            f"registration does not show; {_BEHIND_TRAEFIK}"
        )


def _judge_pod(workload: Workload, report: Report) -> None:
    if workload.pod_spec.get("hostNetwork") is True:
        report(
            f"{workload.label} is on the node's own network (hostNetwork), where no NetworkPolicy "
            f"holds and its port is plain; {_BEHIND_TRAEFIK}"
        )
    for group in _CONTAINERS:
        for container in children(workload.pod_spec, group):
            for port in children(container, "ports"):
                if number(port, "hostPort"):
                    report(
                        f"container {text(container, 'name')!r} of {workload.label} takes port "
                        f"{round(number(port, 'hostPort') or 0)} of the node (hostPort), plain and "
                        f"for everybody; {_BEHIND_TRAEFIK}"
                    )


def _judge_ingress_route(
    one: KubernetesObject, report: Report, settings: HttpsOnly, *, below: bool
) -> None:
    points = texts(one.spec, "entryPoints")
    with_tls = one.spec.get("tls") is not None
    if below:
        insecure = not points or bool(set(points) - set(settings.secure_entry_points))
    else:  # elsewhere an entry point may have TLS of its own; these two have none by name
        insecure = not with_tls and (not points or any(point in _PLAIN for point in points))
    if insecure:
        serving = [route for route in children(one.spec, "routes") if _serves(route)]
        if any(not list(children(route, "middlewares")) for route in serving):
            report(
                f"{one.label} is served on {_shown(points)}, so by plain HTTP as well; set "
                f"entryPoints: [{settings.secure_entry_points[0]}] and tls.secretName, and leave "
                f"to the plain one a redirectScheme with {NOWHERE} behind it"
            )
        return
    if below:
        _judge_certificate(one, report)


def _judge_certificate(one: KubernetesObject, report: Report) -> None:
    secret = text(child(one.spec, "tls"), "secretName")
    if not secret:
        report(
            f"{one.label} has no tls.secretName, so Traefik shows its own certificate, which no "
            "client trusts; set tls.secretName (gateway.tls_secret)"
        )
        return
    ours = plan_for(one.urn).namespace
    if one.namespace != ours:
        report(
            f"{one.label} lies in namespace {one.namespace!r}, where Traefik looks for its TLS "
            f"secret {secret!r}; put it into {ours!r}, where the secret is"
        )


def check_stack(args: StackValidationArgs, report: Report, settings: HttpsOnly) -> None:
    """Judge what only several objects together show."""
    for objects in by_cluster(args.resources):
        for one in objects:
            if one.is_a("IngressRoute", *TRAEFIK):
                _judge_redirects(one, objects, report, settings)
                _judge_place_of_secret(one, objects, report)
            elif one.is_a("Service", "core") and not is_below_root(one.urn):
                _judge_foreign_service(one, objects, report)
        _judge_foreign_ingresses(objects, report)


def _judge_redirects(
    one: KubernetesObject,
    objects: Sequence[KubernetesObject],
    report: Report,
    settings: HttpsOnly,
) -> None:
    """A plain route with middlewares passes if one of them sends everybody to HTTPS."""
    points, below = texts(one.spec, "entryPoints"), is_below_root(one.urn)
    if below and points and not set(points) - set(settings.secure_entry_points):
        return
    plain = not points or any(point in _PLAIN for point in points)
    if not below and (one.spec.get("tls") is not None or not plain):
        return
    for route in children(one.spec, "routes"):
        named = list(middlewares_of(route, one, objects))
        if not _serves(route) or not named:
            continue
        if not any(spec is not None and _redirects(spec) for _, spec in named):
            report(
                f"{one.label} is served on {_shown(points)}, and none of its middlewares "
                f"{', '.join(repr(name.name) for name, _ in named)} is seen to redirect to HTTPS; "
                f"set entryPoints: [{settings.secure_entry_points[0]}], or put a redirectScheme "
                "https before it",
                one.urn,
            )


def _judge_place_of_secret(
    one: KubernetesObject, objects: Iterable[KubernetesObject], report: Report
) -> None:
    secret = text(child(one.spec, "tls"), "secretName")
    if not secret:
        return
    places = sorted({place for name, place in _tls_secrets(objects) if name == secret})
    if places and one.namespace not in places:
        report(
            f"{one.label} names the TLS secret {secret!r}, which this program puts into namespace "
            f"{', '.join(places)}, and Traefik looks for it in {one.namespace!r} alone; put both "
            "into one namespace",
            one.urn,
        )


def _tls_secrets(objects: Iterable[KubernetesObject]) -> Iterator[tuple[str, str]]:
    for one in objects:
        if one.is_a("Secret", "core") or one.is_a("SealedSecret", "bitnami.com"):
            yield one.name, one.namespace
        elif one.is_a("Certificate", "cert-manager.io"):
            yield text(one.spec, "secretName") or "", one.namespace


def _judge_foreign_service(
    one: KubernetesObject, objects: Sequence[KubernetesObject], report: Report
) -> None:
    for workload, server in servers_behind(Name(one.namespace, one.name), objects):
        for opening in _openings(one):
            report(
                f"{one.label} {opening}, and {server.name} ({workload.label}) behind it speaks "
                f"plain HTTP; {_BEHIND_TRAEFIK}",
                one.urn,
            )


def _judge_foreign_ingresses(objects: Sequence[KubernetesObject], report: Report) -> None:
    ingresses = [
        one
        for one in objects
        if one.is_a("Ingress", "networking.k8s.io", "extensions") and not is_below_root(one.urn)
    ]
    for one in ingresses:
        behind = [
            workload.label
            for route in routes_in([one])
            for service in route.services
            for workload, _ in servers_behind(service, objects)
        ]
        faults = list(_faults_of_ingress(one)) if behind else []
        for fault in faults:
            report(f"{one.label} leads to {behind[0]} and {fault}", one.urn)


def _openings(service: KubernetesObject) -> Iterator[str]:
    kind = text(service.spec, "type")
    if kind in _OPEN_TYPES:
        yield f"has type {kind}, a plain port for everybody who reaches the node"
    addresses = texts(service.spec, "externalIPs")
    if addresses:
        yield "has externalIPs, a plain port for everybody who reaches them"


def _faults_of_ingress(one: KubernetesObject) -> Iterator[str]:
    sections = list(children(one.spec, "tls"))
    covered = [host for section in sections for host in texts(section, "hosts")]
    if not sections:
        yield "has no tls section; add one with its hosts and a secretName"
        return
    if not all(text(section, "secretName") for section in sections):
        yield "has a tls section without secretName; name the certificate's secret"
    if child(one.spec, "defaultBackend"):
        yield "has a defaultBackend, which is served for every host; name its hosts in rules"
    for rule in children(one.spec, "rules"):
        host = text(rule, "host")
        if not host:
            yield "has a rule without a host, which no certificate covers; set its host"
        elif not any(_covers(pattern, host) for pattern in covered):
            yield f"serves host {host!r}, which is in no tls section; add it to tls.hosts"


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host == pattern or host.partition(".")[2] == pattern.removeprefix("*.")
    return host == pattern


def _entry_points_of_ingress(one: KubernetesObject) -> tuple[str, ...]:
    said = text(child(child(one.props, "metadata"), "annotations"), _ENTRY_POINTS) or ""
    return tuple(point.strip() for point in said.split(",") if point.strip())


def _serves(route: Props) -> bool:
    """Whether anything but Traefik's empty service stands behind it."""
    return any(text(one, "name") != NOWHERE for one in children(route, "services"))


def _redirects(middleware: Props) -> bool:
    scheme = text(child(middleware, "redirectScheme"), "scheme")
    by_expression = text(child(middleware, "redirectRegex"), "replacement") or ""
    return scheme == "https" or by_expression.startswith("https://")


def _shown(points: Sequence[str]) -> str:
    if not points:
        return "every entry point, as entryPoints is not set,"
    return "entry points " + ", ".join(points) if len(points) > 1 else f"entry point {points[0]}"


_BEHIND_TRAEFIK = "leave it a ClusterIP Service, and let outsiders in by an IngressRoute with TLS"
_REASON = (
    "Keys and prompts travel with every request: on a plain port anybody on the way reads them, "
    "and a port of the node goes round the gateway's keys."
)
_CURE = (
    "IngressRoute on websecure with tls.secretName in its own namespace; Services of type "
    "ClusterIP; no hostPort, no hostNetwork."
)

RULES = (
    resource_rule(
        name="https-only",
        description="Nothing is served from outside but by HTTPS with a certificate at hand.",
        reason=_REASON,
        cure=_CURE,
        check=check_resource,
        settings=HttpsOnly,
    ),
    stack_rule(
        name="https-only-deployed",
        description="No Service, redirect or certificate opens a plain way to a model server.",
        reason=_REASON,
        cure=_CURE,
        check=check_stack,
        settings=HttpsOnly,
    ),
)
