"""What a swap costs beyond what it has to wait for, beside kubectl doing the bare minimum."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synapse.names import TTS
from tests.forge.swap_case import SwapCase

REPOSITORY = Path(__file__).parents[2]
RUNS = 7
LIMIT_SECONDS = 3.0


@pytest.mark.long
def test_a_swap_costs_little_beyond_the_pods_own_stop_and_start(case: SwapCase) -> None:
    """Alternated runs of both; the simulated pods stop and start at once, so all is overhead."""
    swaps, by_hand = [], []
    for _ in range(RUNS):
        swaps += [timed_swap(case, target) for target in ("speech", "chat")]
        by_hand += [timed_kubectl(case, case.engine, TTS), timed_kubectl(case, TTS, case.engine)]
    overhead_seconds = statistics.median(swaps) - statistics.median(by_hand)
    print(  # noqa: T201  the figure of the documents
        f"swap {statistics.median(swaps):.2f} s ({min(swaps):.2f} to {max(swaps):.2f}), "
        f"kubectl {statistics.median(by_hand):.2f} s ({min(by_hand):.2f} to {max(by_hand):.2f}), "
        f"ratio {statistics.median(swaps) / statistics.median(by_hand):.2f}, "
        f"overhead {overhead_seconds:.2f} s, {len(swaps)} runs of each"
    )
    assert overhead_seconds <= LIMIT_SECONDS


def timed_swap(case: SwapCase, target: str) -> float:
    """The whole command, as an operator waits for it."""
    began = time.monotonic()
    command = [sys.executable, "-m", "synapse", "swap", target, "--config", str(case.config)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=60)
    return time.monotonic() - began


def timed_kubectl(case: SwapCase, leaves: str, enters: str) -> float:
    """Down, gone, up, ready: no Lease, no drain, no way back."""
    began = time.monotonic()
    case.kubectl("scale", f"deployment/{leaves}", "--replicas=0")
    case.kubectl("wait", "pods", f"--selector=app={leaves}", "--for=delete", "--timeout=60s")
    case.kubectl("scale", f"deployment/{enters}", "--replicas=1")
    case.kubectl("rollout", "status", f"deployment/{enters}", "--timeout=60s")
    return time.monotonic() - began
