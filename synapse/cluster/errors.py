"""The one error of this room."""


class ClusterError(Exception):
    """The cluster did not do what was asked. Says what, why, and what to do about it.

    Attributes:
        cure: what the operator can do.
    """

    def __init__(self, what: str, cure: str) -> None:
        self.cure = cure
        super().__init__(f"{what}; {cure}")
