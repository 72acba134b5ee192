"""Sums as the messages show them."""

from collections.abc import Iterable
from typing import NamedTuple

ROUNDING_GIB = 0.005
"""A sum may exceed its limit by this: floats and two printed decimals, nothing more."""


class Addend(NamedTuple):
    """One line of a sum."""

    what: str
    gib: float


def total_gib(addends: Iterable[Addend]) -> float:
    """Add up the lines."""
    return sum(addend.gib for addend in addends)


def exceeds(sum_gib: float, limit_gib: float) -> bool:
    """Whether a sum is over its limit; a NaN on either side is."""
    return not sum_gib <= limit_gib + ROUNDING_GIB


def shown(addends: Iterable[Addend], limit_gib: float) -> str:
    """Write a sum beside its limit: `a 1.00 + b 2.00 = 3.00 GiB > 2.50 GiB`."""
    lines = tuple(addends)
    terms = " + ".join(f"{line.what} {line.gib:.2f}" for line in lines)
    sum_gib = total_gib(lines)
    if len(lines) > 1:
        terms += f" = {sum_gib:.2f}"
    sign = ">" if exceeds(sum_gib, limit_gib) else "<="
    return f"{terms} GiB {sign} {limit_gib:.2f} GiB"
