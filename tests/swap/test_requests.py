"""How busy an engine is, by metrics that may be missing, garbled or late."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse.names import ENGINE_GAUGES
from synapse.swap.requests import busy, metrics_through
from tests.swap.engine_stand_in import BUSY, IDLE, NOT_TO_BE_BELIEVED, Answer, engine_stand_in

WITHIN_SECONDS = 0.3


def said_of(answer: Answer, folder: Path) -> str:
    with engine_stand_in(answer) as engine, engine.cluster(folder) as cluster:
        read = metrics_through(cluster, "llm-infra", WITHIN_SECONDS)
        return busy(read, "engine-1", 8000, ENGINE_GAUGES["vllm"])


def test_zero_running_and_zero_waiting_is_idle(tmp_path: Path) -> None:
    assert said_of(IDLE, tmp_path) == ""


@pytest.mark.parametrize("answer", BUSY.values(), ids=BUSY)
def test_requests_are_counted_over_all_series(answer: Answer, tmp_path: Path) -> None:
    assert "request(s)" in said_of(answer, tmp_path)


@pytest.mark.parametrize("answer", NOT_TO_BE_BELIEVED.values(), ids=NOT_TO_BE_BELIEVED)
def test_what_cannot_be_read_counts_as_busy(answer: Answer, tmp_path: Path) -> None:
    assert "counts as busy" in said_of(answer, tmp_path)


def test_nobody_listens_counts_as_busy(tmp_path: Path) -> None:
    with engine_stand_in() as engine:
        pass
    with engine.cluster(tmp_path) as cluster:
        read = metrics_through(cluster, "llm-infra", WITHIN_SECONDS)
        assert "counts as busy" in busy(read, "engine-1", 8000, ENGINE_GAUGES["vllm"])


def test_a_pod_without_a_port_counts_as_busy(tmp_path: Path) -> None:
    with engine_stand_in() as engine, engine.cluster(tmp_path) as cluster:
        read = metrics_through(cluster, "llm-infra", WITHIN_SECONDS)
        assert "counts as busy" in busy(read, "engine-1", None, ENGINE_GAUGES["vllm"])


def test_sglang_has_names_of_its_own(tmp_path: Path) -> None:
    text = "sglang:num_running_reqs 0\nsglang:num_queue_reqs 1\n"
    with (
        engine_stand_in(Answer("metrics", text)) as engine,
        engine.cluster(tmp_path) as cluster,
    ):
        read = metrics_through(cluster, "llm-infra", WITHIN_SECONDS)
        assert busy(read, "engine-1", 8000, ENGINE_GAUGES["sglang"]) == "1 request(s)"
