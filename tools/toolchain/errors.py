"""The one error of the toolchain that a user sees."""


class ToolchainError(Exception):
    """A program cannot be had; the message is one line that names the cause and the cure."""
