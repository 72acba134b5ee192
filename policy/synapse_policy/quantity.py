"""Kubernetes quantities, read by the pack itself."""

import re

from synapse_policy.reading import UnreadableError

_BYTES = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}
_QUANTITY = re.compile(r"\+?(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d+)|([KMGTPE]i|[mkMGTPE]?))")


def amount(value: object) -> float:
    """Return what a quantity such as "1", "500m" or "2e3" stands for."""
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        raise UnreadableError(f"{value!r} is no Kubernetes quantity; write it as 96Gi")
    digits, exponent, suffix = found.groups()
    if exponent is not None:
        return float(digits) * 10.0 ** int(exponent)
    return float(digits) * _BYTES[suffix]


def gib(value: object) -> float:
    """Return a quantity of bytes ("96Gi", "96G", "1024") in GiB."""
    return amount(value) / _BYTES["Gi"]
