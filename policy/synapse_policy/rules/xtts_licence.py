"""XTTS only where somebody took responsibility for its licence, by name and date."""

from collections.abc import Iterator
from datetime import date, timedelta

from pulumi_policy import ResourceValidationArgs

from synapse_policy.containers import Container
from synapse_policy.exceptions import today
from synapse_policy.judging import Report, resource_rule
from synapse_policy.recognised import workloads_in
from synapse_policy.workload import Workload

ACKNOWLEDGED_BY = "synapse/xtts-licence-acknowledged-by"
ACKNOWLEDGED_ON = "synapse/xtts-licence-acknowledged-on"

_MODEL = "xtts"
_SAID_NO = ("=none", "=off", "=false", "=0")
_TERMS = "COQUI_TOS_AGREED"


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge what runs or downloads XTTS."""
    for workload in workloads_in(args):
        sign = next(_signs(workload), None)
        if sign is None:
            continue
        wrong = _wrong(workload)
        if wrong is not None:
            report(
                f"{workload.label} runs XTTS ({sign}), and {wrong}; name who read the licence in "
                f"{ACKNOWLEDGED_BY} and the day in {ACKNOWLEDGED_ON} (the config's acknowledgement "
                "writes both), or take a voice with a free licence (Kokoro, Piper)"
            )


def _signs(workload: Workload) -> Iterator[str]:
    """Yield what shows it, as far as it is known: most containers have nothing to do with it."""
    for tag in workload.ollama_tags:
        if _MODEL in tag.casefold():
            yield f"its annotation names {tag}"
    for container in workload.readable_containers:
        yield from (f"container {container.name!r}: {one}" for one in _in_container(container))


def _in_container(container: Container) -> Iterator[str]:
    if _MODEL in container.shown_image.repository.casefold():
        yield f"image {container.shown_image.repository}"
    for word in container.shown_command_line.words:
        says_no = word.casefold().endswith(_SAID_NO)
        if _MODEL in word.casefold() and "://" not in word and not says_no:
            yield f"argument {word!r}"
    if _TERMS in container.shown_environment:
        yield f"it sets {_TERMS}"
    for name in container.shown_environment:
        value = container.shown_environment.known(name) or ""
        if value.casefold().rpartition("/")[2].startswith(_MODEL):
            yield f"variable {name}"


def _wrong(workload: Workload) -> str | None:
    by = (workload.annotation(ACKNOWLEDGED_BY) or "").strip()
    on = (workload.annotation(ACKNOWLEDGED_ON) or "").strip()
    if not by or not on:
        return "nobody acknowledged its licence"
    try:
        day = date.fromisoformat(on)
    except ValueError:
        return f"{ACKNOWLEDGED_ON} is {on!r}, which is no date such as 2026-11-22"
    # East of Greenwich the day begins earlier.
    if day > today() + timedelta(days=1):
        return f"{ACKNOWLEDGED_ON} is {on}, a day that has not come"
    return None


RULES = (
    resource_rule(
        name="xtts-licence",
        description="XTTS runs only with its licence acknowledged, by name and date.",
        reason=(
            "XTTS's weights are under the CPML, which allows non-commercial use of the model and "
            "of what it says; Coqui is closed, and nobody sells another licence."
        ),
        cure="Acknowledge the licence in the config, by name and date, or take another voice.",
        check=check,
    ),
)
