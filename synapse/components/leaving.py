"""What a GPU pod does before its end: it waits, bounded, until it has no request left.

`python -m synapse swap` drains an engine before it scales it down. Every other end, such as that by
an update, a drained node or a swap of XTTS, which has no metrics, has this wait alone.
"""

from typing import Final

from pulumi_kubernetes.core.v1 import ExecActionArgs, LifecycleArgs, LifecycleHandlerArgs

from synapse.components.labels import labels
from synapse.names import ENGINE_GAUGES, SERVING, SERVING_LABEL

DRAIN_SECONDS: Final = 120
GRACE_SECONDS: Final = DRAIN_SECONDS + 30
"""Then SIGTERM has been sent, and the program has had time to end."""

# Idle for so long: requests may be on their way while the pod leaves its Service.
_SETTLE_SECONDS: Final = 2

# What does not listen has no request; what answers late, or garbled, counts as busy.
_ENGINE: Final = """\
import sys, urllib.error, urllib.request
def busy(port, *gauges):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            samples = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines()]
        return any(
            float(value) for name, value in samples if name.partition("{")[0] in gauges
        )
    except urllib.error.URLError as error:
        return not isinstance(error.reason, ConnectionRefusedError)
    except (OSError, ValueError):
        return True
"""
_CONNECTIONS: Final = """\
import sys
def busy(port):
    wanted = f":{int(port):04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for _, local, _, state, *_ in map(str.split, lines):
                if local.endswith(wanted) and state == "01":
                    return True
    return False
"""
_WAIT: Final = """\
import time
seconds, settle, *told = sys.argv[1:]
end = time.monotonic() + float(seconds)
idle_since = time.monotonic()
while (now := time.monotonic()) < end:
    if busy(*told):
        idle_since = time.monotonic()
    elif now - idle_since >= float(settle):
        break
    time.sleep(0.25)
"""


def served_labels(app: str) -> dict[str, str]:
    """The labels of a pod that a drain takes out of its Service, and that keeps its owner."""
    return labels(app) | {SERVING_LABEL: SERVING}


def until_engine_is_idle(kind: str, port: int, seconds: float = DRAIN_SECONDS) -> list[str]:
    """Waits until an engine's own gauges say that it computes nothing and nothing waits."""
    return _script(_ENGINE, seconds, str(port), *ENGINE_GAUGES[kind])


def until_no_connection(port: int, seconds: float = DRAIN_SECONDS) -> list[str]:
    """Waits until nobody is connected: for a server without metrics that answers and hangs up."""
    return _script(_CONNECTIONS, seconds, str(port))


def before_end(command: list[str]) -> LifecycleArgs:
    """Run before SIGTERM is sent."""
    return LifecycleArgs(pre_stop=LifecycleHandlerArgs(exec_=ExecActionArgs(command=command)))


def _script(busy: str, seconds: float, *told: str) -> list[str]:
    return ["python3", "-c", busy + _WAIT, f"{seconds:g}", str(_SETTLE_SECONDS), *told]
