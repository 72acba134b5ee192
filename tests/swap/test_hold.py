"""Idle by the access log of the voice's own web server."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse.cluster.access import connect
from synapse.cluster.errors import ClusterError
from synapse.settings.machine import Target
from synapse.swap.hold import is_idle
from tests.unit.api_stand_in import api_stand_in, status

PROBE = '10.42.0.1 - - [22/Nov/2026 10:00:00] "GET / HTTP/1.1" 200 -\n'
CALL = '10.42.0.7 - - [22/Nov/2026 10:00:02] "POST /v1/audio/speech HTTP/1.1" 200 -\n'


@pytest.mark.parametrize(
    ("log", "idle"),
    [
        (PROBE * 3, True),
        (PROBE + CALL + PROBE, False),
        (CALL, False),
        ("", False),
        (" > Text splitted to sentences.\n > Processing time: 1.2\n", False),
        ("\x00\xff garbled GET / HTTP", False),
    ],
)
def test_only_a_log_with_probes_and_nothing_else_is_idle(log: str, idle: bool) -> None:
    assert is_idle(log) is idle


def test_the_log_is_read_through_the_api_server(tmp_path: Path) -> None:
    path = "/api/v1/namespaces/llm-infra/pods/coqui-1/log"
    with api_stand_in() as api:
        api.has(path, PROBE)
        target = Target.model_validate({"kubeconfig": str(api.kubeconfig(tmp_path))})
        with connect(target) as cluster:
            assert cluster.recent_log("llm-infra", "coqui-1", 600) == PROBE
            api.has(path, status(500, "no route to the node"), 500)
            with pytest.raises(ClusterError, match="no route to the node"):
                cluster.recent_log("llm-infra", "coqui-1", 600)
