"""The plan's GiB and cores as Kubernetes quantities: the one place that converts them."""

_MIB_PER_GIB = 1024
_MILLI = 1000


def gibibytes(gib: float) -> str:
    """Write GiB as a quantity, exact to the MiB: 96 is `96Gi`, 0.0625 is `64Mi`."""
    mib = round(gib * _MIB_PER_GIB)
    return f"{mib // _MIB_PER_GIB}Gi" if mib % _MIB_PER_GIB == 0 else f"{mib}Mi"


def cores(count: float) -> str:
    """Write cores as a quantity, exact to a thousandth: 8 is `8`, 0.05 is `50m`."""
    milli = round(count * _MILLI)
    return str(milli // _MILLI) if milli % _MILLI == 0 else f"{milli}m"
