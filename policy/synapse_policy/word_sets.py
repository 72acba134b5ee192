"""Sets of words, written as text."""


def word_set(text: str) -> frozenset[str]:
    """Return the words that white space parts."""
    return frozenset(text.split())
