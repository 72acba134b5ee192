"""A pod that does not come up: `up` fails and says which one and why, and the next one recovers.

The program `impatient` shortens the deadlines of the objects, and nothing else. Its pods are
simulated; what judges them is the real Deployment and Job controllers and the real provider.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tests.engine.stack_case import StackCase
from tools.simforge import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Trouble:
    """What happens to the pods with a label, in which phase, and what `up` says about it."""

    app: str
    outcome: Outcome
    phase: int
    resource: str
    said: str


DEADLINE = "ProgressDeadlineExceeded"
TROUBLES = [
    Trouble("ollama", Outcome.NEVER_READY, 1, "ollama-deployment", DEADLINE),
    Trouble("ollama", Outcome.CRASH_LOOP, 1, "ollama-deployment", "CrashLoopBackOff"),
    Trouble("ollama-pull", Outcome.FAIL, 1, "ollama-pull-llama3-1-8b", "BackoffLimitExceeded"),
    Trouble("vllm-inference", Outcome.NEVER_READY, 2, "engine-deployment", DEADLINE),
    Trouble("vllm-inference", Outcome.CRASH_LOOP, 2, "engine-deployment", "CrashLoopBackOff"),
    Trouble("engine-pull", Outcome.FAIL, 2, "engine-pull", "BackoffLimitExceeded"),
    Trouble("litellm", Outcome.NEVER_READY, 3, "gateway-deployment", DEADLINE),
    Trouble("litellm", Outcome.CRASH_LOOP, 3, "gateway-deployment", "CrashLoopBackOff"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: f"{one.app}-{one.outcome}")
def test_up_fails_says_so_and_recovers(case: StackCase, trouble: Trouble) -> None:
    case.configure(trouble.phase)
    case.forge.behave(trouble.app, trouble.outcome)
    failed = replace(case, program="impatient").up(policies=False).failed()
    assert trouble.resource in failed.text
    assert trouble.said in failed.text
    claims = case.claim_uids()

    case.forge.behave(trouble.app, Outcome.READY)
    case.up(policies=False).succeeded()
    assert case.claim_uids() == claims
    for deployment in case.get("deployments")["items"]:
        assert deployment["status"]["readyReplicas"] == deployment["spec"]["replicas"]
    for job in case.get("jobs")["items"]:
        assert job["status"]["succeeded"] == 1
