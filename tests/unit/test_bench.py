"""The bench's arithmetic, what it reads, and its table; no clock is asked here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

import tools.bench.command
from tools.bench import gateways
from tools.bench import report as reports
from tools.bench.figures import (
    Awaited,
    Row,
    Unit,
    difference,
    duration,
    medians_by_object,
    ratio,
    slowest_awaiter,
)
from tools.bench.machine import Machine
from tools.bench.objects import StackObject, StackObjects, read_export
from tools.bench.plans import pulumi_modules
from tools.bench.policy_cost import copied, rows
from tools.bench.readiness import SKIP_AWAIT, Watch, is_ready
from tools.bench.report import Report
from tools.bench.steps import Steps
from tools.cli import app
from tools.gateway.load import Load
from tools.gateway.speed import DIRECT, DOCUMENTED, OURS, SILENT, Booted, Measured, Runs

_SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def test_a_ratio_is_taken_pair_by_pair() -> None:
    # The medians of the two columns are 3 and 2; of the pairs' ratios it is 2.
    row = ratio("preview", [2.0, 3.0, 8.0], [1.0, 3.0, 2.0], limit=1.25)
    assert row.figures == (2.0, 1.0, 4.0)
    assert row.figure == 2.0
    assert row.spread == (1.0, 4.0)
    assert not row.held


def test_a_difference_is_taken_pair_by_pair() -> None:
    row = difference("up", [10.0, 20.0, 31.0], [3.0, 15.0, 25.0], limit=6.0)
    assert row.figures == (7.0, 5.0, 6.0)
    assert row.figure == 6.0
    assert row.held


def test_runs_that_are_not_in_pairs_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio("preview", [1.0, 2.0], [1.0], limit=None)


@pytest.mark.parametrize(("limit", "held"), [(0.6, True), (0.59, False), (None, True)])
def test_the_bound_is_for_the_median_and_includes_itself(limit: float | None, held: bool) -> None:
    assert duration("plan", [0.1, 0.6, 9.0], limit).held is held


def _run(**beyond_seconds: float) -> dict[str, Awaited]:
    return {name: Awaited(name, 5.0, seconds) for name, seconds in beyond_seconds.items()}


def test_the_slowest_awaiter_is_one_object_in_all_runs() -> None:
    runs = [_run(Job=0.1, Service=3.0), _run(Job=9.0, Service=2.5), _run(Job=0.2, Service=2.9)]
    row = slowest_awaiter("awaiter", runs, limit=2.0)
    assert (row.note, row.figures, row.held) == ("Service", (3.0, 2.5, 2.9), False)
    assert [item.name for item in medians_by_object(runs)] == ["Service", "Job"]


def test_what_the_pack_adds_is_a_line_and_each_size_has_its_bound() -> None:
    """With the pack 1 s and 4 ms a resource more; in the second run 2 s and 8 ms."""
    seconds = {
        size: [(3 + 1 + 0.004 * size, 3.0), (5 + 2 + 0.008 * size, 5.0)] for size in (50, 200, 500)
    }
    *sizes, fixed, each = rows(seconds)
    assert [row.limit for row in sizes] == [2.0, 3.5, 6.5]
    assert [row.held for row in sizes] == [True, True, True]
    assert fixed.figures == pytest.approx((1.0, 2.0))
    assert each.figures == pytest.approx((4.0, 8.0))
    assert each.unit is Unit.MILLISECONDS
    slow = {size: [(9.0 + 0.02 * size, 3.0)] for size in seconds}
    assert not any(row.held for row in rows(slow)[:3])


def test_copies_of_a_stack_lie_in_namespaces_of_their_own() -> None:
    def thing(kind: str, name: str, **metadata: str) -> StackObject:
        manifest = {"kind": kind, "metadata": {"name": name, **metadata}, "url": "http://x.llm.svc"}
        return StackObject(f"kubernetes:core/v1:{kind}", name, manifest)

    stack = StackObjects(
        {"kubeconfig": "/there"},
        [
            thing("Namespace", "llm"),
            thing("PriorityClass", "high"),
            thing("Service", "web", namespace="llm"),
        ],
    )
    made = copied(stack, 3)
    assert "/there" not in made.for_program()
    assert [one.name for one in made.objects] == [
        *("llm", "high", "web"),
        *("llm-llm-2", "web-llm-2"),
        *("llm-llm-3", "web-llm-3"),
    ]
    last = made.objects[-1].manifest
    assert last["metadata"] == {"name": "web", "namespace": "llm-3"}
    assert last["url"] == "http://x.llm-3.svc"
    assert copied(stack, 1).objects == stack.objects


# ---- what it reads -----------------------------------------------------------------------------


def test_only_pulumis_modules_are_counted() -> None:
    written = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       123 |        456 | json\n"
        "import time:       123 |        456 |   pulumi.runtime\n"
        "import time:       123 |        456 |     pulumi_kubernetes\n"
        "import time:       123 |        456 | impulumi\n"
    )
    assert pulumi_modules(written) == ["pulumi.runtime", "pulumi_kubernetes"]


def _exported() -> str:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key"},
        "data": {**_SECRET, "plaintext": '{"key": "c2s="}'},
        "__fieldManager": "pulumi",
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "llm"}}
    resources = [
        {"type": "pulumi:pulumi:Stack", "urn": "urn:pulumi:sim::synapse::…::stack"},
        {
            "type": "pulumi:providers:kubernetes",
            "urn": "urn:pulumi:sim::synapse::…::cluster",
            "inputs": {"__internal": {}, "kubeconfig": "/there", "version": "4.25.0"},
        },
        {"type": "kubernetes:core/v1:Namespace", "urn": "…::a-namespace", "inputs": namespace},
        {
            "type": "kubernetes:core/v1:Secret",
            "urn": "…::a-key",
            "inputs": secret,
            "protect": True,
            "customTimeouts": {"create": 2400, "update": 0},
        },
    ]
    return json.dumps({"deployment": {"resources": resources}})


def test_the_objects_are_those_of_the_deployed_stack_in_plain_text() -> None:
    objects = read_export(_exported())
    assert json.loads(objects.for_program()) == {
        "provider": {"kubeconfig": "/there"},
        "objects": [
            {
                "type": "kubernetes:core/v1:Namespace",
                "name": "a-namespace",
                "manifest": {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": "llm"},
                },
                "options": {},
            },
            {
                "type": "kubernetes:core/v1:Secret",
                "name": "a-key",
                "manifest": {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "key"},
                    "data": {"key": "c2s="},
                },
                "options": {"protect": True, "custom_timeouts": {"create": "2400s"}},
            },
        ],
    }


def test_the_namespace_is_applied_on_its_own() -> None:
    objects = read_export(_exported())
    kinds = [
        [item["kind"] for item in json.loads(objects.manifests(namespaces=namespaces))["items"]]
        for namespaces in (True, False)
    ]
    assert objects.namespace == "llm"
    assert kinds == [["Namespace"], ["Secret"]]


def _step(event: str, urn: str, type_: str, name: str) -> str:
    new = {"inputs": {"metadata": {"name": name}}}
    return json.dumps({event: {"metadata": {"urn": urn, "type": type_, "new": new}}})


def test_a_previews_steps_do_not_count_as_those_of_the_update() -> None:
    steps = Steps()
    job = ("urn:job", "kubernetes:batch/v1:Job", "pull")
    for line in (
        '{"preludeEvent": {}}',
        _step("resourcePreEvent", "urn:gone", "kubernetes:core/v1:Secret", "gone"),
        _step("resOutputsEvent", "urn:gone", "kubernetes:core/v1:Secret", "gone"),
        '{"preludeEvent": {}}',
        _step("resourcePreEvent", "urn:root", "synapse:stack:Synapse", "root"),
        _step("resOutputsEvent", "urn:root", "synapse:stack:Synapse", "root"),
        _step("resourcePreEvent", *job),
        '{"diagnosticEvent": {}}',
        _step("resOutputsEvent", *job),
    ):
        steps.see(line)
    assert list(steps.ended_at) == ["Job pull"]
    assert steps.update_begun_at <= steps.begun_at["Job pull"] <= steps.ended_at["Job pull"]


# ---- readiness ---------------------------------------------------------------------------------


def _deployment(available: str, generation: int, updated: int) -> dict[str, object]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "gateway", "generation": generation},
        "spec": {"replicas": 2},
        "status": {
            "observedGeneration": 1,
            "updatedReplicas": updated,
            "conditions": [{"type": "Available", "status": available}],
        },
    }


@pytest.mark.parametrize(
    ("available", "generation", "updated", "ready"),
    [("True", 1, 2, True), ("False", 1, 2, False), ("True", 2, 2, False), ("True", 1, 1, False)],
)
def test_a_deployment_is_ready_when_its_newest_pods_are_available(
    available: str, generation: int, updated: int, ready: bool
) -> None:
    assert is_ready(_deployment(available, generation, updated)) is ready


@pytest.mark.parametrize(
    ("kind", "status", "ready"),
    [
        ("Job", {}, False),
        ("Job", {"conditions": [{"type": "Failed", "status": "True"}]}, False),
        ("Job", {"conditions": [{"type": "Complete", "status": "True"}]}, True),
        ("PersistentVolumeClaim", {"phase": "Pending"}, False),
        ("PersistentVolumeClaim", {"phase": "Bound"}, True),
        ("Namespace", {"phase": "Active"}, True),
        ("Service", {}, True),
        ("ConfigMap", {}, True),
    ],
)
def test_readiness_by_kind(kind: str, status: dict[str, object], ready: bool) -> None:
    manifest = {"kind": kind, "metadata": {"name": "it"}, "status": status}
    assert is_ready(manifest) is ready


def test_what_is_not_awaited_is_ready_once_it_is_there() -> None:
    metadata = {"name": "it", "annotations": {SKIP_AWAIT: "true"}}
    assert is_ready({"kind": "PersistentVolumeClaim", "metadata": metadata, "status": {}})


def test_the_first_readiness_counts() -> None:
    watch = Watch()
    watch.see(_deployment("False", 1, 2))
    assert watch.ready_at == {}
    watch.see(_deployment("True", 1, 2))
    first = dict(watch.ready_at)
    watch.see(_deployment("True", 1, 2))
    assert list(first) == ["Deployment gateway"]
    assert watch.ready_at == first


# ---- the report --------------------------------------------------------------------------------


def _report(*rows: Row) -> Report:
    machine = Machine(
        cpu="A processor",
        cores=2,
        memory_gib=23.5,
        system="A system",
        load=0.5,
        versions={"Python": "3.11.7", "pulumi": "3.250.0"},
    )
    awaited = [_run(**{"Job": 0.4}), _run(**{"Job": 0.6})]
    return Report("2026-11-22T08:00+00:00", 2, machine, (0.2, 0.31), rows, awaited)


_HELD = ratio("preview", [2.2, 2.4], [2.0, 2.0], limit=1.25)
_BROKEN = difference("up", [20.0, 22.0], [10.0, 10.0], limit=6.0)


def test_a_line_of_the_table() -> None:
    assert reports.row_cells(_HELD) == (
        "preview",
        "2.30 s",
        "2.00 s",
        "1.15 ×",
        "1.10 × to 1.20 ×",
        "≤ 1.25 ×",
        "held",
    )
    assert reports.row_cells(_BROKEN)[-2:] == ("≤ 6.00 s", "not held")
    told = difference("of it", [20.0], [10.0], limit=None)
    assert reports.row_cells(told)[3:] == ("10.00 s", "", "", "")
    counted = Row("imports", (), (), (0.0,), Unit.MODULES, 0.0)
    assert reports.row_cells(counted)[1:] == ("", "", "0", "", "≤ 0", "held")


def test_a_bound_may_be_from_below() -> None:
    rate = Row("rate", (), (), (1.3, 1.5), Unit.RATIO, 1.4, at_least=True)
    assert rate.held
    assert not replace(rate, limit=1.5).held
    assert reports.row_cells(rate)[-2:] == ("≥ 1.40 ×", "held")


def _runs(seconds: float, cpu_ms: float = 0.0) -> Runs:
    return Runs([Load(10 * seconds, [seconds] * 10)], [cpu_ms])


def test_the_gateway_is_set_beside_the_documented_config() -> None:
    by_name = {
        OURS: _runs(0.011, cpu_ms=8.0),
        SILENT: _runs(0.008),
        DOCUMENTED: _runs(0.021),
        DIRECT: _runs(0.001),
    }
    booted = {name: Booted(9.0, 300.0) for name in (OURS, SILENT, DOCUMENTED)}
    rows = gateways.rows(Measured(booted, {1: by_name, 8: by_name}))
    figures = {row.title: row.figure for row in rows}
    assert figures["gateway, 8 clients: requests/s, ours ÷ documented config"] == pytest.approx(
        21 / 11
    )
    assert figures["gateway, 8 clients: added p95, ours ÷ documented config"] == pytest.approx(0.5)
    assert figures["gateway, 1 client: added p50"] == pytest.approx(10.0)
    assert figures["gateway, cores that add ≤ 20 ms for 8 clients"] == 4
    assert all(row.held for row in rows)


def test_one_bound_that_is_not_held_fails_the_whole() -> None:
    assert _report(_HELD).held
    assert not _report(_HELD, _BROKEN).held


def test_page_and_raw_figures_name_machine_versions_and_runs(tmp_path: Path) -> None:
    reports.write(tmp_path, _report(_HELD, _BROKEN))
    page = (tmp_path / reports.PAGE).read_text("utf-8")
    for part in (
        "| up | 21.00 s | 10.00 s | 11.00 s | 10.00 s to 12.00 s | ≤ 6.00 s | not held |",
        "A processor, 2 cores, 23.5 GiB memory, A system",
        "the same computation took 0.20, 0.31 s before",
        "Python 3.11.7, pulumi 3.250.0",
        "2026-11-22T08:00+00:00, 2 runs",
        "| Job | 5.00 s | 0.50 s |",
    ):
        assert part in page
    raw = json.loads((tmp_path / reports.RAW).read_text("utf-8"))
    assert raw["rows"][1]["ours_seconds"] == [20.0, 22.0]
    assert raw["rows"][1]["figures"] == [10.0, 12.0]


def test_the_terminal_gets_the_same_table() -> None:
    console = Console(width=160, record=True)
    reports.print_table(console, _report(_HELD, _BROKEN))
    printed = console.export_text()
    assert "not held" in printed
    assert "1.15 ×" in printed


@pytest.mark.parametrize(("held", "status"), [(True, 0), (False, 1)])
def test_the_command_fails_when_a_bound_is_not_held(
    held: bool, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools.bench.command, "bench", lambda *_: held)
    assert CliRunner().invoke(app, ["bench"]).exit_code == status
