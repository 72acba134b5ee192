"""Kubernetes quantities as the plan's units: GiB and cores."""

from lightkube.utils.quantity import parse_quantity

_BYTES_PER_GIB = 1 << 30


def gib_of(quantity: str | None) -> float:
    """GiB of `96Gi`, `205520896Ki` or `100G`; 0 where nothing is said."""
    return float(parse_quantity(quantity or "0") or 0) / _BYTES_PER_GIB


def cores_of(quantity: str | None) -> float:
    """Cores of `32` or `500m`; 0 where nothing is said."""
    return float(parse_quantity(quantity or "0") or 0)


def count_of(quantity: str | None) -> int:
    """Whole devices of `1`; 0 where nothing is said."""
    return int(parse_quantity(quantity or "0") or 0)
