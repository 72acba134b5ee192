"""The value types of the stack config: each refuses a wrong value and says what to write.

A refusal carries two texts beside the value: what is allowed, and the cure. `problems.py` turns
them into the line that the operator reads.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_WITH_UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*")
_CRON_FIELD = re.compile(r"[0-9*/,\-]+")


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
            match = _WITH_UNIT.fullmatch(value)
            number = match.group(1) if match and float(match.group(1)) > 0 else None
            cure = f"write {number}, without quotes or unit" if number else "write a plain number"
            raise refusal(allowed, cure)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refusal(allowed, "write a plain number")
        too_low = value <= 0 if at_least is None else value < at_least
        if not math.isfinite(value) or too_low:
            raise refusal(allowed, "write what the workload needs, or leave the key out")
        if whole and not float(value).is_integer():
            raise refusal(allowed, f"write {math.ceil(value)}")
        return value

    return check


def _dns_label(value: str) -> str:
    if not _DNS_LABEL.fullmatch(value):
        raise refusal(
            "a DNS label: lower-case letters, digits and '-', at most 63, no '-' at an end",
            f"write {_as_dns_label(value)!r}",
        )
    return value


def _as_dns_label(value: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:63] or "a-name"


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
    name, _, digest = value.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not digest and tag in ("", "latest"):
        raise refusal(
            "an image pinned by a tag other than 'latest', or by a digest",
            f"write '{name.removesuffix(':latest')}:<version>'",
        )
    return value


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != 5 or not all(map(_CRON_FIELD.fullmatch, fields)):
        raise refusal("a cron schedule of five fields", "write '0 4 * * *' for 04:00 every day")
    return value


def _fraction(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise refusal("a fraction above 0 and at most 1", "write 0.75 for three quarters")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise refusal("a text that is not blank", "write a value or leave the key out")
    return value


Gib = Annotated[float, BeforeValidator(_number("GiB"))]
"""Memory or storage above zero, in GiB (2^30 bytes)."""
GibOrNone = Annotated[float, BeforeValidator(_number("GiB", at_least=0))]
"""Memory in GiB where zero has a meaning, such as a service that uses no VRAM."""
Cores = Annotated[float, BeforeValidator(_number("CPU cores"))]
Seconds = Annotated[int, BeforeValidator(_number("seconds", at_least=1, whole=True))]
Tokens = Annotated[int, BeforeValidator(_number("tokens", at_least=1, whole=True))]
Count = Annotated[int, BeforeValidator(_number("items", at_least=1, whole=True))]
CountOrNone = Annotated[int, BeforeValidator(_number("items", at_least=0, whole=True))]
Fraction = Annotated[float, BeforeValidator(_fraction)]
DnsLabel = Annotated[str, AfterValidator(_dns_label)]
ServiceName = Annotated[str, AfterValidator(_service_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
Image = Annotated[str, AfterValidator(_image)]
Cron = Annotated[str, AfterValidator(_cron)]
Text = Annotated[str, AfterValidator(_not_blank)]
