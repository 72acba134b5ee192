"""Waits for conditions in the cluster: bounded, ended by a stop, and not put off by an outage."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from synapse.cluster.errors import UnreachableError
from synapse.swap.errors import SwapError, TimedOutError
from synapse.swap.limits import Limits
from synapse.swap.stop import Stop

_FIRST_PAUSE_SECONDS = 0.05
_GROWTH = 1.5

Result = TypeVar("Result")


class Patience:
    """How the parts of one swap wait."""

    def __init__(self, limits: Limits, stop: Stop) -> None:
        self.limits, self.stop = limits, stop
        self._checks: list[Callable[[], None]] = [stop.check]

    def also_check(self, check: Callable[[], None]) -> None:
        """While waiting, call this as well; what it raises ends the wait."""
        self._checks.append(check)

    def check(self) -> None:
        """Raise if there is a reason not to go on.

        Raises:
            SwapError: the swap was asked to stop, or lost its Lease.
        """
        for check in self._checks:
            check()

    def until(
        self, what: str, cure: str, within_seconds: float, found: Callable[[], Result | None]
    ) -> Result:
        """Ask again and again until there is a result.

        An API server that is away counts as no result.

        Raises:
            TimedOutError: the time is up.
            InterruptedSwapError: somebody asked to stop.
        """
        deadline = time.monotonic() + within_seconds
        pauses = self._pauses()
        while True:
            self.check()
            away = ""
            try:
                result = found()
            except UnreachableError as error:
                result, away = None, f" ({error})"
            if result is not None:
                return result
            if time.monotonic() >= deadline:
                raise TimedOutError(f"{what}: not within {within_seconds:g} s{away}", cure)
            self.stop.wait(next(pauses))

    def _pauses(self) -> Iterator[float]:
        """Short at first, for what comes at once; longer for what takes its time."""
        pause_seconds = min(_FIRST_PAUSE_SECONDS, self.limits.poll_seconds)
        while True:
            yield pause_seconds
            pause_seconds = min(pause_seconds * _GROWTH, self.limits.poll_seconds)

    def insist(self, ask: Callable[[], Result]) -> Result:
        """Ask until the API server answers.

        Raises:
            SwapError: it was away for too long, or somebody asked to stop.
        """
        deadline = time.monotonic() + self.limits.outage_seconds
        while True:
            try:
                return ask()
            except UnreachableError as error:
                if time.monotonic() >= deadline:
                    raise SwapError(str(error), "then run the command again") from None
            self.check()
            self.stop.wait(self.limits.poll_seconds)
