"""`plan` starts fast: it loads neither Pulumi nor the Kubernetes library, nor does `routes`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.api_stand_in import StandIn

ROOT = Path(__file__).parents[2]
# Tests that a script starts in the background ignore Ctrl-C, and so does what they start.
HEEDS_CTRL_C = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('synapse', run_name='__main__')"
)
HEAVY = ("pulumi", "pulumi_kubernetes", "lightkube", "httpx2", "grpc")


@pytest.mark.parametrize("command", ["plan", "routes"])
def test_commands_without_a_cluster_load_no_client(command: str) -> None:
    code = (
        "import sys; from synapse.console.app import app\n"
        f"app([{command!r}], standalone_mode=False)\n"
        f"sys.exit(','.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_ctrl_c_while_a_cluster_is_asked_ends_quietly(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        kubeconfig = StandIn(port=silent.getsockname()[1]).kubeconfig(tmp_path)
        command = [sys.executable, "-c", HEEDS_CTRL_C, "health"]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            connection, _ = silent.accept()
            with connection:  # it has connected, and waits for an answer that never comes
                output = _interrupted(process)
    assert process.returncode == 130, output
    assert "Traceback" not in output


def _interrupted(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C until it ends: Python drops one that arrives within a clean-up of its own."""
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=6)[0]
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    return process.communicate()[0]
