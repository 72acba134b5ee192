"""A swap to speech whose process is killed at the end of a step; run as a process of its own.

A fork would take the locks of the load's threads along.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from synapse.catalogue import load_catalogue
from synapse.cluster.access import connect
from synapse.plan.build import make_plan
from synapse.settings.load import read_stack_file
from synapse.swap.change import Target
from synapse.swap.run import Means, Swap
from synapse.swap.timeline import Step
from tests.forge.swap_case import SHORT_LEASE, Watching
from tests.forge.traffic import metrics_at, unhurried


def swap_and_die(config: Path, last_step: Step, engine_metrics_url: str) -> None:
    """Nothing is undone, and nobody releases the Lease."""

    def die(when: str, at: Step) -> None:
        if (when, at) == ("ended", last_step):
            os.kill(os.getpid(), signal.SIGKILL)

    settings = read_stack_file(config)
    plan = make_plan(settings, load_catalogue())
    means = Means(metrics_at(engine_metrics_url), log=None)
    with connect(settings.target) as cluster:
        Swap(cluster, plan, "dead", unhurried(SHORT_LEASE), Watching(die), means=means).run(
            Target.SPEECH
        )


if __name__ == "__main__":
    config_path, step_name, url = sys.argv[1:]
    swap_and_die(Path(config_path), Step(step_name), url)
