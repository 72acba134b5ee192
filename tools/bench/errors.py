"""What stops a bench."""


class BenchError(Exception):
    """A run did not do what it was to be timed at; the message says which, and what it printed."""
