"""A way back that changes what stays, on the real engine: deletions come last."""

from __future__ import annotations

import pytest

from tests.engine.stack_case import StackCase

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


def test_rollback_finds_room_for_what_it_changes_beside_what_it_takes_down(case: StackCase) -> None:
    """A quota of phase 1 alone would be used up by phases 2 and 3, and Ollama would not return."""
    case.configure(phase=3)
    case.up().succeeded()
    case.configure(phase=1, ollama={"num_parallel": 1})
    case.up().succeeded()
    assert case.names("deployments") == {"Deployment/ollama"}
    (container,) = case.get("deployment", "ollama")["spec"]["template"]["spec"]["containers"]
    assert {"name": "OLLAMA_NUM_PARALLEL", "value": "1"} in container["env"]
    hard = case.get("resourcequota", "synapse-quota")["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "0"
