"""The one error of the simulated forge that a user sees."""


class SimForgeError(Exception):
    """The simulated forge cannot do what was asked; one line with the cause and the cure."""
