"""A pod that does not come up: `up` fails and says which one and why, and the next one recovers.

The program `impatient` shortens the deadlines of the objects in trouble, and nothing else. Pods are
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
    """What happens to which pods in which phase, and what `up` says of which resource."""

    app: str
    outcome: Outcome
    phase: int
    resource: str
    said: str


SLOW = "ProgressDeadlineExceeded"
CRASHING = "CrashLoopBackOff"
GIVEN_UP = "BackoffLimitExceeded"
TROUBLES = [
    Trouble("ollama", Outcome.NEVER_READY, 1, "ollama-deployment", SLOW),
    Trouble("ollama-pull", Outcome.FAIL, 1, "ollama-pull-llama3", GIVEN_UP),
    Trouble("vllm-inference", Outcome.CRASH_LOOP, 2, "engine-deployment", CRASHING),
    Trouble("engine-pull", Outcome.FAIL, 2, "engine-pull", GIVEN_UP),
    Trouble("litellm", Outcome.NEVER_READY, 3, "gateway-deployment", SLOW),
]
LONG_TROUBLES = [
    Trouble("ollama", Outcome.CRASH_LOOP, 1, "ollama-deployment", CRASHING),
    Trouble("vllm-inference", Outcome.NEVER_READY, 2, "engine-deployment", SLOW),
    Trouble("litellm", Outcome.CRASH_LOOP, 3, "gateway-deployment", CRASHING),
]
ALL_TROUBLES = [
    *(pytest.param(one, id=f"{one.app}-{one.outcome}") for one in TROUBLES),
    *(
        pytest.param(one, id=f"{one.app}-{one.outcome}", marks=pytest.mark.long)
        for one in LONG_TROUBLES
    ),
]


@pytest.mark.parametrize("trouble", ALL_TROUBLES)
def test_up_fails_says_so_and_recovers(case: StackCase, trouble: Trouble) -> None:
    case.configure(trouble.phase)
    case.edit_config(lambda config: config.update({"impatient:of": trouble.resource}))
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
