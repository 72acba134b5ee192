"""Being asked to stop: noted at once, obeyed where nothing is left half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from synapse.swap.errors import InterruptedSwapError, LeftError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Whether somebody asked the swap to stop, and a wait that such a wish ends."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._why = ""
        self._going_back = False

    def request(self, why: str, *, by_hand: bool = True) -> None:
        """Ask for it. On the way back only a hand on the keyboard counts: it leaves it halfway."""
        if self._going_back and not by_hand:
            return
        self._why = why
        self._asked.set()

    def check(self) -> None:
        """Raise if the swap was asked to stop.

        Raises:
            InterruptedSwapError: on the way there.
            LeftError: on the way back.
        """
        if not self._asked.is_set():
            return
        if self._going_back:
            raise LeftError(
                f"{self._why} on the way back: the swap is left as it is",
                "run `python -m synapse swap chat`, which finishes it",
            )
        raise InterruptedSwapError(f"stopped by {self._why}", "run the command again")

    def wait(self, seconds: float) -> None:
        """Wait, or less if asked to stop."""
        self._asked.wait(seconds)

    def take(self) -> str:
        """Why it was asked to stop, or empty; the wish counts as obeyed."""
        why = self._why if self._asked.is_set() else ""
        self._asked.clear()
        return why

    def go_back(self) -> None:
        """From now on the swap goes back; what was asked before has been obeyed by that."""
        self._asked.clear()
        self._going_back = True


@contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[None]:
    """Ctrl-C, a termination and a closed terminal become a request to stop."""

    def ask(number: int, _frame: FrameType | None) -> None:
        by_hand = number == signal.SIGINT
        stop.request("Ctrl-C" if by_hand else signal.Signals(number).name, by_hand=by_hand)

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
