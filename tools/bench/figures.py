"""The arithmetic of the bench: pairs, medians, spreads and bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median


class Unit(StrEnum):
    """What a figure counts."""

    RATIO = "×"
    SECONDS = "s"
    MILLISECONDS = "ms"
    CORES = "cores"
    MEBIBYTES = "MiB"
    MODULES = "modules"


@dataclass(frozen=True)
class Row:
    """One line of the table: runs, what follows from them, and the bound.

    Attributes:
        title: what is measured.
        ours_seconds: of each run of Synapse.
        against_seconds: of the run beside each of them; empty where nothing stands beside it.
        figures: one of each run, or of each pair of runs, in `unit`.
        limit: the highest median that is allowed; None: told without a bound.
        note: what the figure is of, where the title does not say it.
        at_least: the limit is the lowest median instead.
    """

    title: str
    ours_seconds: tuple[float, ...]
    against_seconds: tuple[float, ...]
    figures: tuple[float, ...]
    unit: Unit
    limit: float | None
    note: str = ""
    at_least: bool = False

    @property
    def figure(self) -> float:
        """The median that the bound is for."""
        return median(self.figures)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest figure."""
        return min(self.figures), max(self.figures)

    @property
    def held(self) -> bool:
        """Whether the median is within the bound."""
        if self.limit is None:
            return True
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


def ratio(
    title: str, ours_seconds: Sequence[float], against_seconds: Sequence[float], limit: float | None
) -> Row:
    """How many times as long ours takes, pair by pair.

    Raises:
        ValueError: the runs are not in pairs.
    """
    pairs = zip(ours_seconds, against_seconds, strict=True)
    figures = tuple(ours / against for ours, against in pairs)
    return Row(title, tuple(ours_seconds), tuple(against_seconds), figures, Unit.RATIO, limit)


def difference(
    title: str, ours_seconds: Sequence[float], against_seconds: Sequence[float], limit: float | None
) -> Row:
    """How many seconds more ours takes, pair by pair.

    Raises:
        ValueError: the runs are not in pairs.
    """
    pairs = zip(ours_seconds, against_seconds, strict=True)
    figures = tuple(ours - against for ours, against in pairs)
    return Row(title, tuple(ours_seconds), tuple(against_seconds), figures, Unit.SECONDS, limit)


def duration(title: str, ours_seconds: Sequence[float], limit: float | None) -> Row:
    """How long ours takes."""
    runs = tuple(ours_seconds)
    return Row(title, runs, (), runs, Unit.SECONDS, limit)


@dataclass(frozen=True)
class Awaited:
    """One object of one run: how long Pulumi worked on it, and how long after it was ready.

    Attributes:
        name: `Kind name`.
        own_seconds: from the beginning of Pulumi's step to its end.
        beyond_seconds: from the object's readiness, as the API server tells it, to that end.
    """

    name: str
    own_seconds: float
    beyond_seconds: float


def medians_by_object(runs: Sequence[Mapping[str, Awaited]]) -> list[Awaited]:
    """One entry for each object that every run had, the slowest to be let go first."""
    common = set.intersection(*(set(run) for run in runs))
    entries = [
        Awaited(
            name,
            median(run[name].own_seconds for run in runs),
            median(run[name].beyond_seconds for run in runs),
        )
        for name in common
    ]
    return sorted(entries, key=lambda entry: (-entry.beyond_seconds, entry.name))


def slowest_awaiter(title: str, runs: Sequence[Mapping[str, Awaited]], limit: float | None) -> Row:
    """The object whose awaiter lasts longest beyond its readiness, by the median of its runs."""
    worst = medians_by_object(runs)[0].name
    return Row(
        title,
        tuple(run[worst].own_seconds for run in runs),
        (),
        tuple(run[worst].beyond_seconds for run in runs),
        Unit.SECONDS,
        limit,
        note=worst,
    )
