"""Why a swap ends without having done what was asked."""


class SwapError(Exception):
    """The swap cannot go on. Says what, and what to do about it.

    Attributes:
        cure: what the operator can do.
    """

    def __init__(self, what: str, cure: str) -> None:
        self.what, self.cure = what, cure
        super().__init__(f"{what}; {cure}")


class TimedOutError(SwapError):
    """A condition did not come true within its bound."""


class ChangedError(SwapError):
    """Somebody else changed a Deployment while the swap worked on it."""


class InterruptedSwapError(SwapError):
    """The operator, or the system, asked the swap to stop."""


class LostLeaseError(SwapError):
    """Another swap holds the Lease now: this one may touch nothing any more."""


class LeftError(SwapError):
    """The operator did not wait for the way back; the next swap finishes it."""
