"""The way back: what ran before runs again. Nothing is drained, as nothing new was served."""

from synapse.swap.drain import serve_again
from synapse.swap.errors import ChangedError
from synapse.swap.stage import Stage
from synapse.swap.steps import scale, wait_gone, wait_memory, wait_ready
from synapse.swap.timeline import Step

_ATTEMPTS = 10
"""Whoever changes the Deployments, such as a `pulumi up`, may change them more than once."""


def go_back(stage: Stage) -> None:
    """Bring back the state before; `stage.wanted` is that state.

    Raises:
        SwapError: it does not come back within its bounds, or was left by the operator.
        ClusterError: the API server refuses.
    """
    with stage.recorder.step(Step.BACK, stage.change.source):
        stage.mark(Step.BACK)
        for attempt in range(1, _ATTEMPTS + 1):
            present = stage.ask(stage.workloads.learn)
            try:
                _restore(stage, tuple(present))
            except ChangedError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return


def _restore(stage: Stage, present: tuple[str, ...]) -> None:
    down = tuple(name for name in present if stage.wanted[name] == 0)
    up = tuple(name for name in present if stage.wanted[name] > 0)
    scale(stage, down)
    if up:
        wait_gone(stage, down)
    scale(stage, up)
    for name in up:
        serve_again(stage, name)
    if up:
        wait_memory(stage, up)
        wait_ready(stage, up)
