"""vLLM's sleep mode: attested, and shut in."""

from typing import Any

import pytest

from tests.policy.changes import Change, Json
from tests.policy.rule_case import ENGINE, UNKNOWN, add, anybodys, ours, pod, replace, workload

ATTESTED, SHUT_IN = "sleep-mode", "sleep-mode-deployed"
FLAG = add(ENGINE, "container/args/-", "--enable-sleep-mode")
DEV_MODE = add(ENGINE, "container/env/-", {"name": "VLLM_SERVER_DEV_MODE", "value": "1"})
ATTESTATION = replace("Synapse/synapse", "plan/engine/sleep_mode", True)


def sleeper(**container: Any) -> Json:
    one = {"image": "vllm/vllm-openai:v0.20.2", "args": ["--enable-sleep-mode"], **container}
    return workload("Deployment", pod(one))


def shut(ingress: list[Json] | None = None, **spec: Any) -> Json:
    default = {"podSelector": {"matchLabels": {"app": "it"}}, "policyTypes": ["Ingress"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "shut"},
        "spec": {**default, "ingress": ingress or [], **spec},
    }


def route(kind: str, spec: Json, group: str = "traefik.io/v1alpha1") -> Json:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "way"}, "spec": spec}


@pytest.mark.parametrize(("change", "sign"), [(FLAG, "--enable-sleep-mode"), (DEV_MODE, "_MODE=1")])
def test_sleep_mode_that_nobody_attested_is_refused(change: Change, sign: str) -> None:
    message = ours(ATTESTED, change)
    assert sign in message
    assert "attested_by" in message
    assert ours(ATTESTED, change, ATTESTATION) == ""


def test_without_it_nothing_is_said() -> None:
    assert ours(ATTESTED) == ours(SHUT_IN) == ""
    off = add(ENGINE, "container/env/-", {"name": "VLLM_SERVER_DEV_MODE", "value": "0"})
    assert ours(ATTESTED, off) == ""


def test_the_attestation_is_for_the_plan_s_own_engine() -> None:
    other = sleeper()
    other["metadata"]["name"] = "second"
    assert "Deployment 'second'" in ours(ATTESTED, ATTESTATION, objects=(other,))


IN_ROUTES = [
    route("IngressRoute", {"routes": [{"match": "Host(`a`) && Path(`/sleep`)"}]}),
    route("IngressRoute", {"routes": [{"match": 'PathPrefix("/wake_up")'}]}),
    route("Middleware", {"replacePath": {"path": "/sleep"}}),
    route(
        "Ingress",
        {"rules": [{"http": {"paths": [{"path": "/is_sleeping"}]}}]},
        "networking.k8s.io/v1",
    ),
    route(
        "HTTPRoute",
        {"rules": [{"matches": [{"path": {"type": "Exact", "value": "/sleep"}}]}]},
        "gateway.networking.k8s.io/v1",
    ),
]


@pytest.mark.parametrize("made", IN_ROUTES)
def test_a_route_to_the_switches_is_refused(made: Json) -> None:
    assert "switches the engine off" in ours(ATTESTED, objects=(made,))
    assert "switches the engine off" in anybodys(ATTESTED, made)
    assert ours(ATTESTED, ATTESTATION, objects=(made,)) == ""


@pytest.mark.parametrize("path", ["/sleeper", "/v1/sleep-stories", "/", "/asleep"])
def test_other_paths_pass(path: str) -> None:
    made = route("IngressRoute", {"routes": [{"match": f"Path(`{path}`)"}]})
    assert anybodys(ATTESTED, made) == ""


def test_our_own_policies_shut_a_sleeper_in() -> None:
    assert ours(SHUT_IN, FLAG, DEV_MODE, ATTESTATION) == ""


def test_a_sleeper_that_no_policy_selects_is_refused() -> None:
    assert "no NetworkPolicy" in anybodys(SHUT_IN, sleeper())
    assert anybodys(SHUT_IN, sleeper(), shut()) == ""
    assert anybodys(SHUT_IN, sleeper(), shut(podSelector={})) == ""
    message = ours(
        SHUT_IN,
        FLAG,
        ATTESTATION,
        without=(
            "NetworkPolicy/default-deny",
            "NetworkPolicy/vllm-inference",
            "NetworkPolicy/vllm-inference-from-run-curl-test",
        ),
    )
    assert "no NetworkPolicy" in message


@pytest.mark.parametrize(
    "policy",
    [
        shut(podSelector={"matchLabels": {"app": "other"}}),
        shut(policyTypes=["Egress"]),
        shut() | {"metadata": {"name": "shut", "namespace": "elsewhere"}},
    ],
)
def test_a_policy_for_others_does_not_count(policy: Json) -> None:
    assert "no NetworkPolicy" in anybodys(SHUT_IN, sleeper(), policy)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"ports": [{"port": 8000}]},
        {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]},
        {"from": [{"namespaceSelector": {}}]},
    ],
)
def test_a_policy_that_admits_everybody_does_not_count(rule: Json) -> None:
    message = anybodys(SHUT_IN, sleeper(), shut([rule]))
    assert "NetworkPolicy 'shut' admits everybody" in message


@pytest.mark.parametrize(
    "peer",
    [
        {"podSelector": {}},
        {"podSelector": {"matchLabels": {"app": "gateway"}}},
        {"namespaceSelector": {"matchLabels": {"a": "b"}}},
        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "swap"}}},
        {"ipBlock": {"cidr": "10.0.0.0/8"}},
    ],
)
def test_a_policy_that_admits_some_counts(peer: Json) -> None:
    assert anybodys(SHUT_IN, sleeper(), shut([{"from": [peer]}])) == ""


def test_the_dev_mode_of_anybody_s_engine_counts_and_must_be_plain() -> None:
    mode = {"name": "VLLM_SERVER_DEV_MODE"}
    on = sleeper(args=[], env=[mode | {"value": "1"}])
    assert "VLLM_SERVER_DEV_MODE=1" in anybodys(SHUT_IN, on)
    unknown = sleeper(args=[], env=[mode | {"value": UNKNOWN}])
    assert "can't be known" in anybodys(SHUT_IN, unknown)
    elsewhere = sleeper(args=[], env=[mode | {"valueFrom": {"secretKeyRef": {"key": "a"}}}])
    assert "no plain value" in anybodys(SHUT_IN, elsewhere)
