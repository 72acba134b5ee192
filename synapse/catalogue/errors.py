"""The one error of the catalogue: a name that it does not hold."""

import difflib
from collections.abc import Iterable

CLOSEST_SHOWN = 3


class UnknownEntryError(LookupError):
    """A name that the catalogue does not hold, with the closest ones it does.

    Attributes:
        kind: what was looked up ("model", "GPU", ...).
        name: the name that was asked for.
        closest: up to three known names, best match first.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        choices = sorted(known)
        folded = {choice.casefold(): choice for choice in choices}
        matches = difflib.get_close_matches(name.casefold(), folded, n=CLOSEST_SHOWN, cutoff=0.5)
        self.kind = kind
        self.name = name
        self.closest = tuple(folded[match] for match in matches)
        if self.closest:
            hint = "closest: " + ", ".join(self.closest)
        else:
            hint = f"known are {', '.join(choices[:8])}{', ...' if len(choices) > 8 else ''}"
        super().__init__(f"the catalogue knows no {kind} {name!r}; {hint}")
