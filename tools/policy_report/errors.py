"""What keeps a stack from being judged."""


class PolicyRunError(Exception):
    """Nothing was judged; the message says why, and the cure."""
