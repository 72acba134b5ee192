"""The value types of the stack config: each refuses a wrong value and says what to write.

A refusal carries two texts beside the value: what is allowed, and the cure. `problems.py` turns
them into the line that the operator reads.
"""

import datetime
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from synapse.catalogue.units import gib_from_mib

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_WITH_UNIT = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-zA-Z%]*)\s*")
_IMAGE = re.compile(
    r"(?P<name>(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_DURATION = re.compile(r"-1|(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_LABEL_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"(?:[a-z0-9.-]{{1,253}}/)?{_LABEL_NAME}")
_LABEL_VALUE = re.compile(rf"(?:{_LABEL_NAME})?")
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/[1-9][0-9]?)?")

_MIDNIGHT = " 00:00:00 +0000 UTC"
"""What the Pulumi engine adds to a date that stands without quotes in the stack file."""

_MOST = 10**9
"""No number of a config is higher; sums over it stay exact and printable."""

_FACTORS = {
    "GiB": {
        **dict.fromkeys(("", "g", "gb", "gi", "gib"), 1.0),
        **dict.fromkeys(("m", "mb", "mi", "mib"), gib_from_mib(1)),
        **dict.fromkeys(("t", "tb", "ti", "tib"), 1 / gib_from_mib(1)),
    },
    "CPU cores": {"": 1.0, "m": 0.001},
    "seconds": {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0},
}
"""What a suffix that somebody wrote by habit stands for in the unit of the key."""


def refusal(allowed: str, cure: str) -> PydanticCustomError:
    """A validation error that names what is allowed and what to do about it."""
    return PydanticCustomError(
        "refused", "{allowed}; {cure}", {"allowed": _braceless(allowed), "cure": _braceless(cure)}
    )


def _braceless(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def _number(
    unit: str, *, at_least: float | None = None, whole: bool = False
) -> Callable[[object], object]:
    """A check for a number above zero (or from `at_least` on), in the unit that the key names."""
    bound = "above 0" if at_least is None else f"of at least {at_least:g}"
    allowed = f"a {'whole ' if whole else ''}number of {unit} {bound}"

    def check(value: object) -> object:
        if isinstance(value, str):
            raise refusal(allowed, _number_meant(value, unit, whole=whole))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refusal(allowed, "write a plain number")
        too_low = value <= 0 if at_least is None else value < at_least
        if not value <= _MOST or too_low:  # also true for not-a-number
            raise refusal(allowed, "write what the workload needs, or leave the key out")
        if whole and not float(value).is_integer():
            raise refusal(allowed, f"write {math.ceil(value)}")
        return value

    return check


def _number_meant(text: str, unit: str, *, whole: bool) -> str:
    """The cure for a number in quotes or with a suffix."""
    match = _WITH_UNIT.fullmatch(text)
    factor = _FACTORS.get(unit, {"": 1.0}).get(match.group(2).lower()) if match else None
    if not match or factor is None or float(match.group(1)) == 0:
        return "write a plain number"
    number = float(match.group(1)) * factor
    return f"write {math.ceil(number) if whole else f'{number:.9g}'}, without quotes or unit"


def _dns_label(value: str) -> str:
    if not _DNS_LABEL.fullmatch(value):
        raise refusal(
            "a DNS label: lower-case letters, digits and '-', at most 63, no '-' at an end",
            f"write {_as_dns_label(value)!r}",
        )
    return value


def _as_dns_label(value: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", value.lower())[:63].strip("-") or "a-name"


def _service_name(value: str) -> str:
    if value == "vllm":
        raise refusal(
            "any Service name but 'vllm'",
            "write 'vllm-inference': Kubernetes would inject VLLM_PORT=tcp://…, which vLLM reads "
            "as its own port and refuses to start",
        )
    return _dns_label(value)


def _host_name(value: str) -> str:
    labels = value.split(".")
    if len(value) > 253 or len(labels) < 2 or not all(map(_DNS_LABEL.fullmatch, labels)):
        cured = ".".join(_as_dns_label(label) for label in labels if label)
        raise refusal(
            "a DNS name of lower-case labels, such as 'synapse.arunlabs.com'",
            f"write {cured if '.' in cured else cured + '.example.com'!r}",
        )
    return value


def _image(value: str) -> str:
    match = _IMAGE.fullmatch(value)
    if match is None:
        raise refusal(
            "an image, pinned by a tag or by a sha256 digest",
            "write it as 'registry.example.com/name:1.2.3'",
        )
    if not match["digest"] and match["tag"] in (None, "latest"):
        raise refusal(
            "an image pinned by a tag other than 'latest', or by a digest",
            f"write '{match['name']}:<version>'",
        )
    return value


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != len(_CRON_RANGES) or not all(map(_is_cron_field, fields, _CRON_RANGES)):
        raise refusal(
            "a cron schedule of five fields in numbers", "write '0 4 * * *' for 04:00 every day"
        )
    return value


def _is_cron_field(text: str, within: tuple[int, int]) -> bool:
    parts = [_CRON_PART.fullmatch(part) for part in text.split(",")]
    least, most = within
    return all(
        part is not None
        and all(least <= int(number) <= most for number in part.groups() if number is not None)
        for part in parts
    )


def _fraction(value: object) -> object:
    allowed = "a fraction above 0 and at most 1"
    if isinstance(value, str) and (match := _WITH_UNIT.fullmatch(value)):
        number = float(match.group(1)) / (100 if match.group(2) == "%" else 1)
        if 0 < number <= 1 and match.group(2) in ("", "%"):
            raise refusal(allowed, f"write {number:g}, without quotes")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise refusal(allowed, "write 0.75 for three quarters")
    return value


def _one_line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise refusal("a text of one line that is not blank", "write a value or leave the key out")
    return value


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise refusal("a duration such as '30m' or '24h', or '-1' for always", "write '30m'")
    return value


def _date(value: object) -> object:
    """Read a date, which YAML knows and JSON writes as a text; a number is none."""
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.date.fromisoformat(value.removesuffix(_MIDNIGHT))
    if type(value) is not datetime.date:
        raise refusal("a date", "write it as 2026-11-22")
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    for key, label in value.items():
        if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(label)):
            raise refusal(
                f"labels of Kubernetes (letters, digits, '-', '_', '.'), not those of {key}",
                "copy them from `kubectl get pod --show-labels`",
            )
    return value


Gib = Annotated[float, BeforeValidator(_number("GiB"))]
"""Memory or storage above zero, in GiB (2^30 bytes)."""
GibOrNone = Annotated[float, BeforeValidator(_number("GiB", at_least=0))]
"""Memory in GiB where zero has a meaning, such as a service that uses no VRAM."""
Cores = Annotated[float, BeforeValidator(_number("CPU cores"))]
Tokens = Annotated[int, BeforeValidator(_number("tokens", at_least=1, whole=True))]
Count = Annotated[int, BeforeValidator(_number("items", at_least=1, whole=True))]
CountOrNone = Annotated[int, BeforeValidator(_number("items", at_least=0, whole=True))]
Fraction = Annotated[float, BeforeValidator(_fraction)]
DnsLabel = Annotated[str, AfterValidator(_dns_label)]
ServiceName = Annotated[str, AfterValidator(_service_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
Image = Annotated[str, AfterValidator(_image)]
Cron = Annotated[str, AfterValidator(_cron)]
Text = Annotated[str, AfterValidator(_one_line)]
Duration = Annotated[str, AfterValidator(_duration)]
Date = Annotated[datetime.date, BeforeValidator(_date)]
Labels = Annotated[dict[str, str], Field(min_length=1), AfterValidator(_labels)]
