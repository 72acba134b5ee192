"""How many requests an engine has, by its own metrics. What cannot be read counts as busy."""

import math
import re
from collections.abc import Callable

from synapse.cluster.access import Cluster
from synapse.cluster.errors import ClusterError, UnreachableError

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{.*\})?\s+(?P<value>\S+)(?:\s+-?\d+)?\s*")

ReadMetrics = Callable[[str, int], str]
"""The metrics of a pod's port as text.

Raises:
    ClusterError: there was no answer in time, or none that is one.
"""


def metrics_through(cluster: Cluster, namespace: str, within_seconds: float) -> ReadMetrics:
    """Read them through the API server's pod proxy, which the operator's machine can reach."""

    def read(pod: str, port: int) -> str:
        answer = cluster.ask_pod(namespace, pod, port, "/metrics", within_seconds)
        if not answer.ok:
            said = " ".join(answer.body.split())[:100]
            raise ClusterError(f"{pod}/metrics: status {answer.status} {said}", "look at its log")
        return answer.body

    return read


def requests_in(text: str, gauges: tuple[str, ...]) -> int | None:
    """The sum of these gauges over all their labels; None where one is missing or is no count."""
    if not text.endswith("\n"):
        return None  # cut off: the last value may be the beginning of a longer one
    values: dict[str, list[float]] = {name: [] for name in gauges}
    for line in text.splitlines():
        found = _SAMPLE.fullmatch(line)
        if found and found["name"] in values:
            values[found["name"]].append(_number(found["value"]))
        elif not found and line.startswith(gauges):
            return None
    sums = [sum(of_one) if of_one else math.nan for of_one in values.values()]
    total = sum(sums)
    return round(total) if math.isfinite(total) else None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if value >= 0 else math.nan


def busy(read: ReadMetrics, pod: str, port: int | None, gauges: tuple[str, ...]) -> str:
    """What keeps a pod from being idle, in words; empty where nothing does."""
    if port is None:
        return f"{pod} names no port, counts as busy"
    try:
        count = requests_in(read(pod, port), gauges)
    except UnreachableError:
        return "the API server is away, counts as busy"
    except ClusterError as error:
        return f"no metrics, counts as busy ({error})"
    if count is None:
        return f"{pod}: metrics without {' and '.join(gauges)}, counts as busy"
    return f"{count} request(s)" if count else ""
