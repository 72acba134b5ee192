"""Which paths a route lets pass to a gateway or an engine."""

import pytest
from synapse_policy.reading import UnreadableError
from synapse_policy.traefik_match import may_pass

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN
from tests.policy.one_rule import deployment, made, ours, service, theirs

RULE = "admin-not-routed-deployed"
TRAEFIK = "traefik.io/v1alpha1"
GATEWAY = (
    deployment("gateway", {"image": "ghcr.io/berriai/litellm:v1.80.0"}),
    service("models", app="gateway"),
)
ENGINE = (
    deployment("chat", {"image": "docker.io/vllm/vllm-openai:v0.20.2"}),
    service("models", app="chat"),
)
WEB = deployment("web", {"image": "grafana/grafana:12.0.0"}), service("models", app="web")


def _route(match: str, **route: object) -> Json:
    one = {"kind": "Rule", "match": match, "services": [{"name": "models", "port": 80}], **route}
    return made("IngressRoute", "public", api=TRAEFIK, spec={"routes": [one]})


@pytest.mark.parametrize(
    "match",
    [
        "Host(`a`)",
        "Host(`a`) && PathPrefix(`/`)",
        "Host(`a`) && PathPrefix(`/metrics`)",
        "Host(`a`) && Path(`/metrics/`)",
        "Host(`a`) && (PathPrefix(`/v1/`) || PathPrefix(`/ui`))",
        "Host(`a`) && PathPrefix(`/sso`)",
        "Host(`a`) && PathPrefix(`/key`)",
        "Host(`a`) && PathPrefix(`/user`)",
        "Host(`a`) && PathPrefix(`/team`)",
        "Host(`a`) && PathPrefix(`/model`)",
        "Host(`a`) && PathPrefix(`/config`)",
        "Host(`a`) && Path(`/health`)",
        "Host(`a`) && PathPrefix(`/health`)",
        "Host(`a`) && !PathPrefix(`/metrics`)",
        "!(Host(`a`) && PathPrefix(`/v1`))",
        "Host(`a`) && PathRegexp(`^/k.y/`)",
        "Host(`a`) && PathRegexp(`(unreadable`)",
        "Host(`a`) && PathPrefix(`/{any:.*}`)",
        'Host("a") && PathPrefix("/metrics")',
        "Host(`a`) && Method(`GET`)",
        "HostRegexp(`.+`)",
        "Host(`a`) && PathPrefix(`/v1/`) || Path(`/key/generate`)",
    ],
)
def test_a_route_for_operators_is_refused(match: str) -> None:
    message = theirs(RULE, *GATEWAY, _route(match))
    assert "IngressRoute 'public'" in message
    assert "Deployment 'gateway'" in message


@pytest.mark.parametrize(
    "match",
    [
        "Host(`a`) && PathPrefix(`/v1/`)",
        "Host(`a`) && (PathPrefix(`/v1/`) || PathPrefix(`/health/liveliness`))",
        "Host(`a`) && Path(`/v1/chat/completions`)",
        "Host(`a`) && PathRegexp(`^/v1/(chat|audio)/`)",
        "Host(`a`) && PathPrefix(`/v1/`) && !PathPrefix(`/metrics`)",
    ],
)
def test_a_route_for_clients_passes(match: str) -> None:
    assert theirs(RULE, *GATEWAY, _route(match)) == ""
    assert ours(RULE, *GATEWAY, _route(match)) == ""


def test_a_route_to_another_program_passes() -> None:
    assert theirs(RULE, *WEB, _route("Host(`a`)")) == ""


@pytest.mark.parametrize("path", ["/sleep", "/wake_up", "/metrics", "/v1/load_lora_adapter"])
def test_an_engines_own_paths_are_refused(path: str) -> None:
    assert path in theirs(RULE, *ENGINE, _route(f"Host(`a`) && PathPrefix(`{path}`)"))
    assert theirs(RULE, *ENGINE, _route("PathPrefix(`/v1/chat`)")) == ""


def _middleware(spec: Json, name: str = "change") -> Json:
    return made("Middleware", name, api=TRAEFIK, spec=spec)


def test_a_prefix_that_is_taken_off_is_seen_through() -> None:
    route = _route("Host(`a`) && PathPrefix(`/llm`)", middlewares=[{"name": "change"}])
    strip = _middleware({"stripPrefix": {"prefixes": ["/llm"]}})
    assert "/metrics" in theirs(RULE, *GATEWAY, route, strip)
    limit = _middleware({"rateLimit": {"average": 10}})
    assert theirs(RULE, *GATEWAY, route, limit) == ""
    put_before = _middleware({"addPrefix": {"prefix": "/key"}})
    narrow = _route("Path(`/generate`)", middlewares=[{"name": "change"}])
    assert "/key/generate" in theirs(RULE, *GATEWAY, narrow, put_before)


@pytest.mark.parametrize("key", ["stripPrefixRegex", "replacePathRegex", "replacePath"])
def test_paths_that_nobody_can_follow_are_refused(key: str) -> None:
    route = _route("PathPrefix(`/v1/`)", middlewares=[{"name": "chain"}])
    chain = _middleware({"chain": {"middlewares": [{"name": "change"}]}}, "chain")
    change = _middleware({key: {"regex": ["x"]}})
    assert "rewrites its paths" in theirs(RULE, *GATEWAY, route, chain, change)


def test_weighted_and_mirrored_services_are_followed() -> None:
    services = [{"kind": "TraefikService", "name": "split"}]
    route = _route("Host(`a`)", services=services)
    weighted = {"weighted": {"services": [{"name": "other"}, {"name": "models"}]}}
    split = made("TraefikService", "split", api=TRAEFIK, spec=weighted)
    assert "/metrics" in theirs(RULE, *GATEWAY, route, split)
    mirrored = {"mirroring": {"name": "other", "mirrors": [{"name": "models"}]}}
    split = made("TraefikService", "split", api=TRAEFIK, spec=mirrored)
    assert "/metrics" in theirs(RULE, *GATEWAY, route, split)


def _ingress(path: str, kind: str, **metadata: object) -> Json:
    backend = {"service": {"name": "models", "port": {"number": 80}}}
    rule = {"http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}
    return made(
        "Ingress", "public", api="networking.k8s.io/v1", metadata=metadata, spec={"rules": [rule]}
    )


@pytest.mark.parametrize(
    ("path", "kind", "refused"),
    [
        ("/", "Prefix", True),
        ("/v1", "Prefix", False),
        ("/metrics", "Exact", True),
        ("/metric", "Exact", False),
        ("/met", "Prefix", False),
        ("/met", "ImplementationSpecific", True),
    ],
)
def test_an_ingress_is_judged_by_its_path_types(path: str, kind: str, refused: bool) -> None:
    assert bool(theirs(RULE, *GATEWAY, _ingress(path, kind))) is refused


def test_an_ingress_that_rewrites_or_has_a_default_is_refused() -> None:
    rewrite = {"annotations": {"nginx.ingress.kubernetes.io/rewrite-target": "/$1"}}
    assert "rewrites" in theirs(RULE, *GATEWAY, _ingress("/v1", "Prefix", **rewrite))
    whole = _ingress("/v1", "Prefix")
    whole["spec"]["defaultBackend"] = {"service": {"name": "models"}}
    assert "defaultBackend" in theirs(RULE, *GATEWAY, whole)


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ({}, True),
        ({"matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}]}, False),
        ({"matches": [{"path": {"type": "Exact", "value": "/ui"}}]}, True),
        ({"matches": [{"path": {"type": "RegularExpression", "value": "/u."}}]}, True),
        ({"matches": [{"headers": []}]}, True),
    ],
)
def test_an_http_route_is_judged(rule: Json, refused: bool) -> None:
    spec = {"rules": [{"backendRefs": [{"name": "models", "port": 80}], **rule}]}
    there = made("HTTPRoute", "public", api="gateway.networking.k8s.io/v1", spec=spec)
    assert bool(theirs(RULE, *GATEWAY, there)) is refused


def test_a_rule_that_cannot_be_read_is_refused() -> None:
    assert "cannot be read" in theirs(RULE, *GATEWAY, _route("Host(`a`"))
    assert "cannot be judged" in theirs(RULE, *GATEWAY, _route(UNKNOWN))


@pytest.mark.parametrize("match", ["", "Host(`a`", "Host('a')", "foo bar", "Host(`a`) Path(`/`)"])
def test_no_match_rule_of_traefik(match: str) -> None:
    with pytest.raises(UnreadableError):
        may_pass(match, "/")


@pytest.mark.parametrize(
    ("match", "path", "passes"),
    [
        ("Path(`/a`) && Path(`/b`)", "/a", False),
        ("Path(`/a`) || Path(`/b`)", "/b", True),
        ("Path(`/a`) || Path(`/b`) && Path(`/c`)", "/a", True),  # && binds closer
        ("(Path(`/a`) || Path(`/b`)) && Path(`/c`)", "/a", False),
        ("!Path(`/a`)", "/a", False),
        ("!!Path(`/a`)", "/a", True),
        ("!Host(`a`)", "/a", True),
        ("!(Path(`/a`) && Path(`/b`))", "/a", True),
        ("!(Path(`/a`) || Path(`/b`))", "/a", False),
        ("!(Path(`/a`) || Path(`/b`))", "/c", True),
        ("Path(`/a`, `/b`)", "/b", True),
        ("Header(`X`, `y`) && Path(`/a`)", "/a", True),
    ],
)
def test_match_rules_are_read_as_traefik_does(match: str, path: str, passes: bool) -> None:
    assert may_pass(match, path) is passes
