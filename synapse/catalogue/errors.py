"""The one error of the catalogue: a name that it does not hold."""

import difflib
from collections.abc import Iterable
from functools import cached_property

CLOSEST_SHOWN = 3
_KNOWN_SHOWN = 8


class UnknownEntryError(LookupError):
    """A name that the catalogue does not hold, with the closest ones it does.

    Who only asks whether a name is known drops it unread, so the closest are looked for late.

    Attributes:
        kind: what was looked up ("model", "GPU", ...).
        name: the name that was asked for.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self._known = sorted(known)
        super().__init__(kind, name)

    @cached_property
    def closest(self) -> tuple[str, ...]:
        """Up to three known names, best match first."""
        folded = {choice.casefold(): choice for choice in self._known}
        wanted = self.name.casefold()
        matches = difflib.get_close_matches(wanted, folded, n=CLOSEST_SHOWN, cutoff=0.5)
        return tuple(folded[match] for match in matches)

    def __str__(self) -> str:
        if self.closest:
            hint = "closest: " + ", ".join(self.closest)
        else:
            more = ", ..." if len(self._known) > _KNOWN_SHOWN else ""
            hint = f"known are {', '.join(self._known[:_KNOWN_SHOWN])}{more}"
        return f"the catalogue knows no {self.kind} {self.name!r}; {hint}"
