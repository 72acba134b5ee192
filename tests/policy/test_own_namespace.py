"""Everything of the stack lies in the plan's namespaces."""

import pytest

from tests.policy.forge import Json, plan
from tests.policy.judge import UNKNOWN, judge_resource, judge_root, said
from tests.policy.one_rule import made, ours, theirs

RULE = "own-namespace"


def _in(namespace: object, kind: str = "ConfigMap") -> Json:
    return made(kind, "it", metadata={"namespace": namespace})


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret", "Service", "PersistentVolumeClaim"])
def test_an_object_elsewhere_is_refused(kind: str) -> None:
    message = ours(RULE, _in("default", kind))
    assert f"{kind} 'it' lies in namespace 'default'" in message
    assert "'llm-infra'" in message
    assert ours(RULE, _in("llm-infra", kind)) == ""


def test_an_object_without_a_namespace_lies_in_the_default_one() -> None:
    assert "'default'" in ours(RULE, made("ConfigMap", "it", metadata={"namespace": None}))


def test_custom_objects_and_lists_count() -> None:
    route = made("IngressRoute", "it", api="traefik.io/v1alpha1", metadata={"namespace": "web"})
    assert "IngressRoute 'it'" in ours(RULE, route)
    listed = made("ConfigMapList", "all", items=[_in("llm-infra"), _in("other")])
    assert "'other'" in ours(RULE, listed)


@pytest.mark.parametrize("kind", ["PriorityClass", "ClusterRole", "StorageClass", "RuntimeClass"])
def test_what_knows_no_namespace_passes(kind: str) -> None:
    assert ours(RULE, made(kind, "it", api="x/v1", metadata={"namespace": None})) == ""


def test_a_namespace_of_its_own_is_refused() -> None:
    assert "Namespace 'other'" in ours(RULE, made("Namespace", "other"))
    assert ours(RULE, made("Namespace", "llm-infra")) == ""


def test_namespaces_of_the_plans_workloads_are_ours_and_those_of_old_services_are_not() -> None:
    one = plan()
    blank = one["workloads"][0]
    one["workloads"] += [
        blank | {"name": "prometheus", "namespace": "monitoring"},
        blank | {"name": "vllm/old", "namespace": "vllm", "kind": "legacy"},
    ]
    judge_root(one)
    try:
        found = judge_resource("kubernetes:core/v1:ConfigMap", _in("monitoring"))
        assert said(found, RULE) == ""
        found = judge_resource("kubernetes:core/v1:ConfigMap", _in("vllm"))
        assert "'vllm'" in said(found, RULE)
    finally:
        judge_root(plan())


def test_others_are_named_in_the_settings() -> None:
    assert ours(RULE, _in("kube-system"), settings={"also": ["kube-system"]}) == ""


def test_a_foreign_program_lies_where_it_likes() -> None:
    assert theirs(RULE, _in("default")) == ""


def test_an_unknown_namespace_is_refused() -> None:
    assert "cannot be judged" in ours(RULE, _in(UNKNOWN))
    assert theirs(RULE, _in(UNKNOWN)) == ""


def test_a_chart_is_released_into_our_namespace() -> None:
    release = "kubernetes:helm.sh/v3:Release"
    assert "Release 'it'" in said(judge_resource(release, {"namespace": "web"}), RULE)
    assert said(judge_resource(release, {"namespace": "llm-infra"}), RULE) == ""
