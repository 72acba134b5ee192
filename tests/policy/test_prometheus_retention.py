"""Prometheus keeps a week."""

import pytest
from synapse_policy.pack import POLICIES

from tests.policy.changes import Json
from tests.policy.judge import judge_resource, said
from tests.policy.rule_case import UNKNOWN, anybodys, ours, pod, workload

RULE = "prometheus-retention"


def prometheus(retention: object) -> Json:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "main"},
        "spec": {} if retention is None else {"retention": retention},
    }


def server(*flags: str, kind: str = "StatefulSet") -> Json:
    return workload(kind, pod({"image": "prom/prometheus:v3.1.0", "args": list(flags)}))


@pytest.mark.parametrize("retention", ["7d", "15d", "1w", "168h", "1y", "6d24h", "10080m"])
def test_a_week_and_more_pass(retention: str) -> None:
    assert anybodys(RULE, prometheus(retention)) == ""
    assert anybodys(RULE, server(f"--storage.tsdb.retention.time={retention}")) == ""


@pytest.mark.parametrize(("retention", "hours"), [("6d", 144), ("24h", 24), ("6d23h", 167)])
def test_less_is_refused_with_its_hours(retention: str, hours: int) -> None:
    message = anybodys(RULE, prometheus(retention))
    assert f"spec.retention is {retention}, {hours} h < 168 h (7 days)" in message
    assert "Prometheus 'main'" in message
    flags = ("--storage.tsdb.retention.time", retention)
    assert "StatefulSet 'it'" in anybodys(RULE, server(*flags))
    assert anybodys(RULE, server(f"--storage.tsdb.retention={retention}", kind="Deployment"))


def test_the_operator_keeps_a_day_unless_it_is_told() -> None:
    assert "not set, which is 24h" in anybodys(RULE, prometheus(None))
    assert "not set" in ours(RULE, objects=(prometheus(None),))


def test_prometheus_itself_keeps_15_days_unless_it_is_told() -> None:
    assert anybodys(RULE, server("--web.enable-lifecycle")) == ""


def test_what_is_no_duration_and_what_is_unknown_is_refused() -> None:
    assert "write a duration such as 15d" in anybodys(RULE, prometheus("two weeks"))
    assert "can't be known" in anybodys(RULE, prometheus(UNKNOWN))


def test_other_resources_pass() -> None:
    made = prometheus(None) | {"kind": "PrometheusRule"}
    assert anybodys(RULE, made) == ""
    assert anybodys(RULE, workload("Deployment", pod({"image": "web:1", "args": [UNKNOWN]}))) == ""


def test_the_days_are_a_setting() -> None:
    assert RULE in {rule.name for rule in POLICIES}
    kind = "kubernetes:monitoring.coreos.com/v1:Prometheus"
    made = {"spec": {"retention": "10d"}}
    found = judge_resource(kind, made, below_root=False, config={RULE: {"min_days": 30}})
    assert "240 h < 720 h (30 days)" in said(found, RULE)
