"""HTTPS alone from outside."""

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN
from tests.policy.one_rule import deployment, made, ours, service, theirs

AT_ONCE, DEPLOYED = "https-only", "https-only-deployed"
TRAEFIK = "traefik.io/v1alpha1"
OLLAMA = deployment("ollama", {"image": "docker.io/ollama/ollama:0.33.3"})
WEB = deployment("web", {"image": "nginx:1"})


def _route(points: list[str] | None, tls: Json | None, **route: object) -> Json:
    one = {"kind": "Rule", "match": "Host(`a`)", "services": [{"name": "web", "port": 80}], **route}
    spec: Json = {"routes": [one]}
    spec |= {} if points is None else {"entryPoints": points}
    spec |= {} if tls is None else {"tls": tls}
    return made("IngressRoute", "web", api=TRAEFIK, spec=spec)


SECRET = {"secretName": "wildcard-tls"}


def test_a_route_on_websecure_with_a_secret_passes() -> None:
    assert ours(AT_ONCE, _route(["websecure"], SECRET)) == ""
    assert theirs(AT_ONCE, _route(["websecure"], SECRET)) == ""


@pytest.mark.parametrize(
    ("points", "tls", "ours_refused", "theirs_refused"),
    [
        (["web"], None, True, True),
        (["web", "websecure"], None, True, True),
        (None, None, True, True),
        (["web"], SECRET, True, False),  # with tls Traefik answers no plain request
        (["web", "websecure"], SECRET, True, False),
        (None, SECRET, True, False),
        (["other"], SECRET, True, False),
        (["websecure"], None, True, False),  # the entry point may have a certificate
        (["websecure"], {}, True, False),
        (["websecure"], {"certResolver": "le"}, True, False),
    ],
)
def test_a_plain_route_or_one_without_a_certificate_is_refused(
    points: list[str] | None, tls: Json | None, ours_refused: bool, theirs_refused: bool
) -> None:
    there = _route(points, tls)
    assert bool(ours(AT_ONCE, there)) is ours_refused
    assert bool(theirs(AT_ONCE, there)) is theirs_refused


def test_the_second_version_of_traefik_counts() -> None:
    there = _route(["web"], None) | {"apiVersion": "traefik.containo.us/v1alpha1"}
    assert "IngressRoute 'web'" in theirs(AT_ONCE, there)


def test_secure_entry_points_are_a_setting() -> None:
    settings = {"secure_entry_points": ["public"]}
    assert ours(AT_ONCE, _route(["public"], SECRET), settings=settings) == ""
    assert "'websecure'" not in ours(AT_ONCE, _route(["websecure"], SECRET), settings=settings)


def test_a_route_outside_our_namespace_finds_no_secret() -> None:
    there = _route(["websecure"], SECRET)
    there["metadata"]["namespace"] = "kube-system"
    assert "put it into 'llm-infra'" in ours(AT_ONCE, there)


def test_a_secret_in_another_namespace_is_not_found() -> None:
    secret = made("Secret", "wildcard-tls", metadata={"namespace": "certs"})
    assert "namespace certs" in theirs(DEPLOYED, _route(["websecure"], SECRET), secret)
    secret["metadata"]["namespace"] = "llm-infra"
    assert theirs(DEPLOYED, _route(["websecure"], SECRET), secret) == ""
    spec = {"secretName": "wildcard-tls"}
    issued = made(
        "Certificate", "x", api="cert-manager.io/v1", metadata={"namespace": "certs"}, spec=spec
    )
    assert "namespace certs" in theirs(DEPLOYED, _route(["websecure"], SECRET), issued)


def _middleware(spec: Json, name: str = "to-https") -> Json:
    return made("Middleware", name, api=TRAEFIK, spec=spec)


REDIRECT = _middleware({"redirectScheme": {"scheme": "https", "permanent": True}})


@pytest.mark.parametrize("judged", [ours, theirs])
def test_a_pure_redirect_passes(judged: object) -> None:
    noop = [{"kind": "TraefikService", "name": "noop@internal"}]
    there = _route(["web"], None, services=noop, middlewares=[{"name": "to-https"}])
    assert callable(judged)
    assert judged(AT_ONCE, there) == ""
    assert judged(DEPLOYED, there, REDIRECT) == ""


def test_a_redirect_before_a_service_passes_if_it_is_one() -> None:
    there = _route(["web"], None, middlewares=[{"name": "to-https"}])
    assert ours(AT_ONCE, there) == ""
    assert ours(DEPLOYED, there, REDIRECT) == ""
    assert theirs(DEPLOYED, there, REDIRECT) == ""
    limit = _middleware({"rateLimit": {"average": 10}})
    assert "is seen to redirect" in theirs(DEPLOYED, there, limit)
    assert "is seen to redirect" in theirs(DEPLOYED, there)
    plain = _middleware({"redirectScheme": {"scheme": "http"}})
    assert "is seen to redirect" in ours(DEPLOYED, there, plain)
    chain = _middleware({"chain": {"middlewares": [{"name": "inner"}]}})
    inner = _middleware({"redirectScheme": {"scheme": "https"}}, "inner")
    assert ours(DEPLOYED, there, chain, inner) == ""


def test_a_second_route_that_is_served_in_plain_is_refused() -> None:
    there = _route(["web"], None, middlewares=[{"name": "to-https"}])
    there["spec"]["routes"].append(_route(["web"], None)["spec"]["routes"][0])
    assert "plain HTTP" in ours(AT_ONCE, there)


@pytest.mark.parametrize(
    "spec",
    [{"type": "NodePort"}, {"type": "LoadBalancer"}, {"externalIPs": ["192.0.2.1"]}],
)
def test_an_open_service_is_refused(spec: Json) -> None:
    assert "Service 'ollama'" in ours(AT_ONCE, service("ollama", **spec))
    assert "Ollama (Deployment 'ollama')" in theirs(DEPLOYED, service("ollama", **spec), OLLAMA)
    assert theirs(AT_ONCE, service("web", **spec)) == ""
    assert theirs(DEPLOYED, service("web", **spec), WEB) == ""


def test_a_patched_and_a_listed_service_count() -> None:
    patch = service("ollama", type="NodePort") | {"kind": "ServicePatch"}
    assert "NodePort" in ours(AT_ONCE, patch)
    listed = made("ServiceList", "all", items=[service("a"), service("b", type="NodePort")])
    assert "Service 'b'" in ours(AT_ONCE, listed)


@pytest.mark.parametrize("group", ["containers", "initContainers"])
def test_ports_of_the_node_are_refused(group: str) -> None:
    ports = [{"containerPort": 80, "hostPort": 8080}]
    there = deployment("ollama", {"image": "docker.io/ollama/ollama:0.33.3"})
    pod = there["spec"]["template"]["spec"]
    pod[group] = [*pod.get(group, []), {"name": "open", "ports": ports}]
    assert "port 8080 of the node" in ours(AT_ONCE, there)
    assert "port 8080 of the node" in theirs(AT_ONCE, there)


def test_the_nodes_network_is_refused_where_models_are_served() -> None:
    pod = {"hostNetwork": True}
    assert "hostNetwork" in ours(AT_ONCE, deployment("web", {"image": "nginx:1"}, pod=pod))
    assert theirs(AT_ONCE, deployment("web", {"image": "nginx:1"}, pod=pod)) == ""
    served = deployment("ollama", {"image": "docker.io/ollama/ollama:0.33.3"}, pod=pod)
    assert "hostNetwork" in theirs(AT_ONCE, served)


def _ingress(**spec: object) -> Json:
    backend = {"service": {"name": "ollama", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    rule = {"host": "a.example.com", "http": {"paths": paths}}
    annotations = {"traefik.ingress.kubernetes.io/router.entrypoints": "websecure"}
    tls = [{"hosts": ["*.example.com"], "secretName": "tls"}]
    return made(
        "Ingress",
        "ollama",
        api="networking.k8s.io/v1",
        metadata={"annotations": annotations},
        spec={"rules": [rule], "tls": tls, **spec},
    )


def test_an_ingress_with_tls_for_each_host_passes() -> None:
    assert ours(AT_ONCE, _ingress()) == ""
    assert theirs(DEPLOYED, _ingress(), service("ollama"), OLLAMA) == ""


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"tls": []}, "no tls section"),
        ({"tls": [{"hosts": ["b.example.com"], "secretName": "tls"}]}, "in no tls section"),
        ({"tls": [{"hosts": ["a.example.com"]}]}, "without secretName"),
        ({"rules": [{"http": {"paths": []}}]}, "without a host"),
        ({"defaultBackend": {"service": {"name": "ollama"}}}, "defaultBackend"),
    ],
)
def test_an_ingress_that_is_plain_for_somebody_is_refused(spec: Json, said: str) -> None:
    assert said in ours(AT_ONCE, _ingress(**spec))
    if "rules" not in spec:
        assert said in theirs(DEPLOYED, _ingress(**spec), service("ollama"), OLLAMA)
    assert theirs(DEPLOYED, _ingress(**spec), service("ollama", app="web"), WEB) == ""


def test_an_ingress_of_ours_names_its_entry_point() -> None:
    there = _ingress()
    there["metadata"]["annotations"] = {}
    assert "router.entrypoints: websecure" in ours(AT_ONCE, there)


def test_other_ways_in_are_refused_below_a_root() -> None:
    tcp = made("IngressRouteTCP", "it", api=TRAEFIK, spec={"entryPoints": ["websecure"]})
    assert "bare connections" in ours(AT_ONCE, tcp)
    api = "gateway.networking.k8s.io/v1"
    plain = made("Gateway", "it", api=api, spec={"listeners": [{"protocol": "HTTP"}]})
    assert "listens for HTTP" in ours(AT_ONCE, plain)
    secure = made("Gateway", "it", api=api, spec={"listeners": [{"protocol": "HTTPS"}]})
    assert ours(AT_ONCE, secure) == ""
    assert "HTTPRoute 'it'" in ours(AT_ONCE, made("HTTPRoute", "it", api=api, spec={}))


def test_unknown_entry_points_are_refused() -> None:
    there = _route(["websecure"], SECRET)
    there["spec"]["entryPoints"] = UNKNOWN
    assert "cannot be judged" in theirs(AT_ONCE, there)
    assert "cannot be judged" in ours(AT_ONCE, service("web", type=UNKNOWN))
    assert theirs(AT_ONCE, service("web", type=UNKNOWN)) == ""
    assert theirs(DEPLOYED, service("web", type=UNKNOWN), WEB) == ""
    assert "cannot be judged" in theirs(DEPLOYED, service("ollama", type=UNKNOWN), OLLAMA)
