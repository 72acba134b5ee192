"""Routes from outside: which Services they lead to, and which paths may get there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from synapse_policy import traefik_match
from synapse_policy.objects import KubernetesObject, with_workloads
from synapse_policy.reading import Props, UnreadableError, child, children, text, texts
from synapse_policy.selectors import labels_in, selects
from synapse_policy.servers import Server, servers_in
from synapse_policy.workload import Workload

TRAEFIK = ("traefik.io", "traefik.containo.us")
NOWHERE = "noop@internal"
"""Traefik's own service that serves nothing: what stands behind a pure redirect."""
_REWRITES = "nginx.ingress.kubernetes.io/rewrite-target"
_DEEPEST = 5


class Name(NamedTuple):
    """An object's namespace and name."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Route:
    """One route of one object.

    Attributes:
        label: how messages call it, with its match.
        services: where it leads to.
        lets: whether a request to a path may get there, as the path is at the Service.
    """

    owner: KubernetesObject
    label: str
    services: tuple[Name, ...]
    lets: Callable[[str], bool]


def routes_in(objects: Sequence[KubernetesObject]) -> Iterator[Route]:
    """Yield the routes of IngressRoutes, Ingresses and HTTPRoutes."""
    for one in objects:
        if one.is_a("IngressRoute", *TRAEFIK):
            yield from _of_ingress_route(one, objects)
        elif one.is_a("Ingress", "networking.k8s.io", "extensions"):
            yield from _of_ingress(one)
        elif one.is_a("HTTPRoute", "gateway.networking.k8s.io"):
            yield from _of_http_route(one)


def servers_behind(
    service: Name, objects: Iterable[KubernetesObject]
) -> Iterator[tuple[Workload, Server]]:
    """Yield the recognised programs whose pods a Service selects."""
    found = tuple(objects)
    for one in found:
        if one.is_a("Service", "core") and one.name == service.name:
            wanted = labels_in(one.spec, "selector")
            if not wanted or one.namespace != service.namespace:
                continue
            for owner, workload in with_workloads(found):
                servers = servers_in(workload)
                if not servers or not selects({"matchLabels": wanted}, workload.pod_labels):
                    continue
                if owner.namespace == service.namespace:
                    yield from ((workload, server) for server in servers)


def middlewares_of(
    route: Props, owner: KubernetesObject, objects: Iterable[KubernetesObject]
) -> Iterator[tuple[Name, Props | None]]:
    """Yield the middlewares of a route, chains taken apart; None for one that is not here."""
    named = [
        Name(text(one, "namespace") or owner.namespace, text(one, "name") or "")
        for one in children(route, "middlewares")
    ]
    yield from _resolved(named, tuple(objects), 0)


def _resolved(
    names: Iterable[Name], objects: tuple[KubernetesObject, ...], depth: int
) -> Iterator[tuple[Name, Props | None]]:
    for name in names:
        found = _find("Middleware", name, objects)
        chain = child(found.spec, "chain") if found else {}
        if chain and found and depth < _DEEPEST:
            links = [
                Name(text(one, "namespace") or found.namespace, text(one, "name") or "")
                for one in children(chain, "middlewares")
            ]
            yield from _resolved(links, objects, depth + 1)
        else:
            yield name, found.spec if found else None


def _find(kind: str, name: Name, objects: Iterable[KubernetesObject]) -> KubernetesObject | None:
    return next(
        (
            one
            for one in objects
            if one.is_a(kind, *TRAEFIK)
            and one.name == name.name
            and one.namespace == name.namespace
        ),
        None,
    )


def traefik_services(
    route: Props, owner: KubernetesObject, objects: Sequence[KubernetesObject], depth: int = 0
) -> Iterator[Name]:
    """Yield the Services of an IngressRoute's route, through weighted and mirrored ones."""
    for one in children(route, "services"):
        name = Name(text(one, "namespace") or owner.namespace, text(one, "name") or "")
        if text(one, "kind") != "TraefikService":
            yield name
            continue
        between = _find("TraefikService", name, objects)
        if between is None or depth >= _DEEPEST:
            yield name
            continue
        weighted, mirroring = child(between.spec, "weighted"), child(between.spec, "mirroring")
        yield from traefik_services(weighted, between, objects, depth + 1)
        if mirroring:
            both = {"services": [mirroring, *children(mirroring, "mirrors")]}
            yield from traefik_services(both, between, objects, depth + 1)


def _of_ingress_route(
    owner: KubernetesObject, objects: Sequence[KubernetesObject]
) -> Iterator[Route]:
    for route in children(owner.spec, "routes"):
        services = tuple(traefik_services(route, owner, objects))
        match = text(route, "match") or ""
        yield Route(owner, f"{owner.label}, {match}", services, _lets(route, owner, objects))


def _lets(
    route: Props, owner: KubernetesObject, objects: Sequence[KubernetesObject]
) -> Callable[[str], bool]:
    match = text(route, "match") or ""
    matcher = traefik_match.parse(match)
    rewriting = [spec for _, spec in middlewares_of(route, owner, objects) if spec is not None]

    def lets(path: str) -> bool:
        return any(matcher(before).may for before in _before(path, rewriting, owner))

    return lets


def _before(path: str, middlewares: list[Props], owner: KubernetesObject) -> list[str]:
    """Return the paths that a request may have had before the middlewares made it this one."""
    paths = [path]
    for spec in reversed(middlewares):
        if child(spec, "stripPrefix"):
            prefixes = texts(child(spec, "stripPrefix"), "prefixes")
            paths = [*paths, *(f"{prefix}{one}" for prefix in prefixes for one in paths)]
        elif child(spec, "addPrefix"):
            prefix = text(child(spec, "addPrefix"), "prefix") or ""
            paths = [one.removeprefix(prefix) for one in paths if one.startswith(prefix)]
        elif any(spec.get(key) for key in ("stripPrefixRegex", "replacePathRegex", "replacePath")):
            raise UnreadableError(
                f"{owner.label} rewrites its paths by a middleware from which nobody can tell "
                "where they lead; route the paths as they are"
            )
    return paths


def _of_ingress(owner: KubernetesObject) -> Iterator[Route]:
    def to(backend: Props) -> tuple[Name, ...]:
        return (Name(owner.namespace, text(child(backend, "service"), "name") or ""),)

    if text(child(child(owner.props, "metadata"), "annotations"), _REWRITES) is not None:
        raise UnreadableError(
            f"{owner.label} rewrites its paths ({_REWRITES}), and nobody can tell where they lead; "
            "route the paths as they are"
        )
    default = child(owner.spec, "defaultBackend")
    if default:
        yield Route(owner, f"{owner.label}, its defaultBackend", to(default), lambda _: True)
    for rule in children(owner.spec, "rules"):
        for one in children(child(rule, "http"), "paths"):
            path = text(one, "path") or "/"
            lets = _by_type(text(one, "pathType") or "ImplementationSpecific", path)
            yield Route(owner, f"{owner.label}, path {path}", to(child(one, "backend")), lets)


def _of_http_route(owner: KubernetesObject) -> Iterator[Route]:
    for rule in children(owner.spec, "rules"):
        services = tuple(
            Name(text(one, "namespace") or owner.namespace, text(one, "name") or "")
            for one in children(rule, "backendRefs")
        )
        if any(text(one, "type") == "URLRewrite" for one in children(rule, "filters")):
            raise UnreadableError(f"{owner.label} rewrites its paths; route them as they are")
        matches = list(children(rule, "matches")) or [{}]
        for match in matches:
            wanted = child(match, "path")
            path = text(wanted, "value") or "/"
            lets = _by_type(text(wanted, "type") or "PathPrefix", path)
            yield Route(owner, f"{owner.label}, path {path}", services, lets)


def _by_type(kind: str, path: str) -> Callable[[str], bool]:
    if kind == "Exact":
        return lambda asked: asked == path
    if kind in ("Prefix", "PathPrefix"):
        start = path.rstrip("/")
        return lambda asked: asked == start or asked.startswith(f"{start}/")
    if kind == "RegularExpression":
        return _by_expression(path)
    return lambda asked: asked.startswith(path)


def _by_expression(expression: str) -> Callable[[str], bool]:
    """Return whether a path may match a regular expression; an unreadable one matches all."""
    matcher = traefik_match.parse(f"PathRegexp(`{expression.replace('`', '.')}`)")
    return lambda path: matcher(path).may
