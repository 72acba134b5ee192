"""The errors of this room."""


class ClusterError(Exception):
    """The cluster did not do what was asked. Says what, why, and what to do about it.

    Attributes:
        cure: what the operator can do.
    """

    def __init__(self, what: str, cure: str) -> None:
        self.cure = cure
        super().__init__(f"{what}; {cure}")


class UnreachableError(ClusterError):
    """The API server is away, starting or overloaded: the same call may succeed later.

    Whether a write was carried out is not known.
    """


class ConflictError(ClusterError):
    """The object is there already, or has changed since it was read."""
