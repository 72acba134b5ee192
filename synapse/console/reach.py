"""The way from a command to the cluster. Imported by the commands that need one, when they run."""

from collections.abc import Iterator
from contextlib import contextmanager

from synapse.cluster.access import Cluster, connect
from synapse.cluster.errors import ClusterError
from synapse.console.exits import Exit, refuse
from synapse.settings.machine import Target


@contextmanager
def reached(target: Target) -> Iterator[Cluster]:
    """Lend the target's cluster; whatever it refuses ends the command with what to do about it."""
    try:
        with connect(target) as cluster:
            yield cluster
    except ClusterError as error:
        refuse(str(error), Exit.REFUSED)
