"""A swap under load, on the real LiteLLM: no request is lost, and streams that began end whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from synapse.names import TTS
from synapse.swap.run import Means
from tests.forge.swap_case import LIMITS, SwapCase
from tests.forge.traffic import ASKS, ENGINE, Seen, metrics_at, traffic_of, unhurried
from tools.gateway.load import percentile
from tools.gateway.stubs import Failure

_LOG = logging.getLogger(__name__)


@pytest.mark.parametrize(
    "loading",
    [
        pytest.param({}, id="refused while loading"),
        pytest.param({ENGINE: Failure.ERROR_503, TTS: Failure.ERROR_503}, id="503 while loading"),
        pytest.param({ENGINE: Failure.HANG}, id="the engine hangs while loading"),
    ],
)
def test_no_request_is_lost_by_a_swap(
    case: SwapCase, tmp_path: Path, loading: dict[str, Failure]
) -> None:
    with traffic_of(case, tmp_path, loading) as traffic:
        caller = traffic.caller
        means = Means(metrics_at(traffic.engine_metrics_url), log=None)

        def swap(target: str) -> None:
            timeline = case.swap(target, limits=unhurried(LIMITS), means=means)
            assert timeline.outcome == "swapped", timeline.why

        with traffic.load() as seen:
            swap("speech")
            caller.wait_until(lambda: traffic.speaks_elsewhere() is None, "XTTS speaks")
            caller.wait_until(lambda: seen["chat"].count(elsewhere=True) > 0, "the CPU chats")
            swap("chat")
            caller.wait_until(lambda: traffic.chats_elsewhere() is None, "the engine chats")
    assert {kind: one.lost for kind, one in seen.items()} == {kind: [] for kind in ASKS}
    assert ENGINE not in traffic.cut, "it had requests at its end"
    for kind in ("chat", "streaming", "speech"):
        assert seen[kind].count(elsewhere=False), f"{kind}: never by the one that was asked"
        assert seen[kind].count(elsewhere=True), f"{kind}: never by the CPU"
    report(seen)


def report(seen: Mapping[str, Seen]) -> None:
    """How long the answers of the CPU took, in the test's log."""
    for kind, one in seen.items():
        on_cpu = [seconds for seconds, reason in one.whole if reason is not None]
        if on_cpu:
            p95_ms = 1000 * percentile(on_cpu, 95)
            _LOG.info(
                "%s: %d answers, %d by the CPU, their p95 %.0f ms",
                *(kind, len(one.whole), len(on_cpu), p95_ms),
            )
