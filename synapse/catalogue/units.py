"""Units of the catalogue: published sizes are decimal, memory is counted in GiB."""

from typing import Final

BYTES_PER_GIB: Final = 2**30


def gib_from_gb(gigabytes: float) -> float:
    """GiB of a size in decimal gigabytes (file lists, model cards)."""
    return gigabytes * 1e9 / BYTES_PER_GIB


def gib_from_mib(mebibytes: float) -> float:
    """GiB of a size in MiB (nvidia-smi, DCGM)."""
    return mebibytes / 1024
