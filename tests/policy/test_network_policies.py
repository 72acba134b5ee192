"""NetworkPolicies: who is covered, and what they open."""

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN
from tests.policy.one_rule import deployment, made, ours, theirs

AT_ONCE, DEPLOYED = "network-policy-opens-named-ways", "network-policy-covers-deployed"
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"]
HTTPS, DNS = [{"port": 443}], [{"port": 53}, {"protocol": "UDP", "port": 53}]
WEB = deployment("web", {"image": "nginx:1"})


def _policy(
    app: str | None = None,
    *,
    ingress: list[Json] | None = None,
    egress: list[Json] | None = None,
    **spec: object,
) -> Json:
    selector = {} if app is None else {"matchLabels": {"app": app}}
    both = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]}
    ways = {"ingress": ingress or [], "egress": egress or []}
    name = app or "default-deny"
    return made("NetworkPolicy", name, api="networking.k8s.io/v1", spec={**both, **ways, **spec})


def _block(cidr: str, *excepted: str) -> Json:
    return {"ipBlock": {"cidr": cidr, "except": list(excepted)}}


DENY = _policy(egress=[{"to": [{"namespaceSelector": {"matchLabels": {"n": "k"}}}], "ports": DNS}])
DOWNLOADS = {"to": [_block("0.0.0.0/0", *PRIVATE)], "ports": HTTPS}
API_SERVER = {"ports": [{"port": 6443}]}
NAMED = {"podSelector": {"matchLabels": {"app": "x"}}}


@pytest.mark.parametrize(
    "ingress",
    [
        {},
        {"from": []},
        {"from": [], "ports": HTTPS},
        {"from": [{}]},
        {"from": [_block("0.0.0.0/0")]},
        {"from": [_block("0.0.0.0/0", *PRIVATE)]},
        {"from": [_block("203.0.113.0/24")]},
        {"from": [{"namespaceSelector": {}}]},
        {"from": [{"namespaceSelector": {}, "podSelector": {}}]},
        {"from": [NAMED, {"namespaceSelector": {}}]},
    ],
)
def test_a_policy_that_lets_everybody_in_is_refused(ingress: Json) -> None:
    message = ours(AT_ONCE, _policy("web", ingress=[ingress]))
    assert "NetworkPolicy 'web': its ingress lets in" in message
    assert theirs(AT_ONCE, _policy("web", ingress=[ingress])) == ""


@pytest.mark.parametrize(
    "egress",
    [
        {},
        {"to": []},
        {"ports": HTTPS},
        {"ports": DNS},
        {"ports": [{"port": 6443}, {"port": 80}]},
        {"ports": [{"port": 1, "endPort": 6443}]},
        {"to": [{"namespaceSelector": {}}]},
        {"to": [_block("0.0.0.0/0")], "ports": HTTPS},
        {"to": [_block("0.0.0.0/0", *PRIVATE[:3])], "ports": HTTPS},
        {"to": [_block("0.0.0.0/0", *PRIVATE)]},
        {"to": [_block("0.0.0.0/0", *PRIVATE)], "ports": [{"port": 80}]},
        {"to": [_block("0.0.0.0/1")], "ports": HTTPS},
        {"to": [_block("::/0")], "ports": HTTPS},
    ],
)
def test_a_policy_that_lets_out_anywhere_is_refused(egress: Json) -> None:
    assert "its egress lets out" in ours(AT_ONCE, _policy("web", egress=[egress]))


@pytest.mark.parametrize(
    "egress",
    [
        DOWNLOADS,
        API_SERVER,
        {"to": [NAMED]},
        {"to": [_block("10.0.0.0/8")], "ports": HTTPS},
        {"to": [_block("192.168.0.7/32")]},
        {"to": [_block("::/0", "fc00::/7", "fe80::/10")], "ports": HTTPS},
    ],
)
def test_named_openings_pass(egress: Json) -> None:
    assert ours(AT_ONCE, _policy("web", ingress=[{"from": [NAMED]}], egress=[egress])) == ""


def test_an_address_that_is_none_is_refused() -> None:
    message = ours(AT_ONCE, _policy("web", egress=[{"to": [_block("everywhere")]}]))
    assert "no range of addresses" in message


def test_a_pod_without_a_policy_is_refused() -> None:
    message = ours(DEPLOYED, WEB)
    assert "selects the pods of Deployment 'web' for ingress and egress" in message
    assert "no default-deny" in message
    assert ours(DEPLOYED, WEB, DENY) == ""


@pytest.mark.parametrize(
    ("spec", "open_way"),
    [
        ({"policyTypes": ["Ingress"]}, "egress"),
        ({"policyTypes": ["Egress"]}, "ingress"),
        ({"policyTypes": None, "egress": None}, "egress"),
        ({"podSelector": {"matchLabels": {"app": "x"}}}, "ingress and egress"),
        (
            {"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}},
            "ingress and egress",
        ),
    ],
)
def test_a_policy_that_covers_a_half_is_refused(spec: Json, open_way: str) -> None:
    assert f"for {open_way}," in ours(DEPLOYED, WEB, _policy("web", **spec))


def test_a_policy_of_another_namespace_covers_nobody() -> None:
    deny = _policy()
    deny["metadata"]["namespace"] = "other"
    assert "no NetworkPolicy of namespace 'llm-infra'" in ours(DEPLOYED, WEB, deny)


def test_policies_by_app_need_a_default_deny_beside_them() -> None:
    message = ours(DEPLOYED, WEB, _policy("web"))
    assert "no default-deny" in message
    assert "selects the pods" not in message


@pytest.mark.parametrize(
    "opened",
    [
        _policy(ingress=[{"from": [NAMED]}]),
        _policy(egress=[{"to": [NAMED]}]),
        _policy(policyTypes=["Ingress"]),
    ],
)
def test_a_default_that_opens_is_no_default_deny(opened: Json) -> None:
    assert "no default-deny" in ours(DEPLOYED, WEB, opened)


def _job(name: str, kind: str = "Job", annotation: bool = True) -> Json:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}}
    metadata = {"annotations": {"synapse/model": "m"}} if annotation else {}
    spec: Json = {"template": template}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return made(kind, name, api="batch/v1", metadata=metadata, spec=spec)


def test_only_download_jobs_reach_public_addresses() -> None:
    out = _policy("pull", egress=[DOWNLOADS])
    assert ours(DEPLOYED, DENY, out, _job("pull")) == ""
    for other in (
        _job("pull", annotation=False),
        _job("pull", kind="CronJob"),
        deployment("pull", {"image": "a:1"}),
    ):
        assert "out to public addresses" in ours(DEPLOYED, DENY, out, other)
    wide = _policy(egress=[DOWNLOADS], podSelector={})
    assert "Deployment 'web' out to public" in ours(DEPLOYED, DENY, wide, _job("pull"), WEB)


@pytest.mark.parametrize(
    ("pod", "refused"),
    [
        ({}, True),
        ({"serviceAccountName": "default"}, True),
        ({"serviceAccountName": "mine", "automountServiceAccountToken": False}, True),
        ({"serviceAccountName": "mine", "automountServiceAccountToken": True}, False),
    ],
)
def test_only_pods_with_a_token_reach_the_api_server(pod: Json, refused: bool) -> None:
    out = _policy("tool", egress=[API_SERVER])
    tool = deployment("tool", {"image": "a:1"}, pod=pod)
    assert ("API server" in ours(DEPLOYED, DENY, out, tool)) is refused


def test_elsewhere_only_model_servers_have_to_be_covered() -> None:
    assert theirs(DEPLOYED, WEB) == ""
    ollama = deployment("ollama", {"image": "docker.io/ollama/ollama:0.33.3"})
    assert "Deployment 'ollama'" in theirs(DEPLOYED, ollama)
    assert theirs(DEPLOYED, ollama, _policy("ollama")) == ""


def test_unknown_selectors_are_refused() -> None:
    assert "cannot be judged" in ours(DEPLOYED, WEB, _policy(podSelector=UNKNOWN))
    assert "cannot be judged" in ours(AT_ONCE, _policy("web", ingress=[{"from": UNKNOWN}]))
    odd = {"matchExpressions": [{"key": "app", "operator": "Like"}]}
    assert "'Like'" in ours(DEPLOYED, WEB, _policy(podSelector=odd))
