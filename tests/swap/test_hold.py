"""Idle by the access log of the voice's own web server."""

from __future__ import annotations

import pytest

from synapse.swap.hold import is_idle

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
