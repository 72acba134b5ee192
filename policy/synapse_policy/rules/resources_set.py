"""Every container says what it needs and the most that it may take."""

from collections.abc import Iterator, Mapping

from pulumi_policy import EnforcementLevel, ResourceValidationArgs

from synapse_policy import quantity
from synapse_policy.judging import Report, resource_rule
from synapse_policy.reading import child, children, text
from synapse_policy.recognised import workloads_in
from synapse_policy.workload import Workload

_Sizes = Mapping[str, Mapping[str, object]]


def check_needed(args: ResourceValidationArgs, report: Report) -> None:
    """Judge requests of CPU and memory, and the limit of memory."""
    for subject, sizes in _sized(args):
        for bound, what in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            if not _is_set(sizes, bound, what):
                report(f"{subject} has no resources.{bound}.{what}; set it to what it takes")


def check_wanted(args: ResourceValidationArgs, report: Report) -> None:
    """Wish for a limit of CPU."""
    for subject, sizes in _sized(args):
        if not _is_set(sizes, "limits", "cpu"):
            report(
                f"{subject} has no resources.limits.cpu, so it may slow down all others; set it to "
                "the most that it may take"
            )


def _sized(args: ResourceValidationArgs) -> Iterator[tuple[str, _Sizes]]:
    for workload in workloads_in(args):
        if workload.is_patch:
            continue  # it changes a part, and the object itself is judged where it is made
        of_pod = _sizes(workload.pod_spec)
        for group in ("initContainers", "containers"):
            for container in children(workload.pod_spec, group):
                own = _sizes(container)
                sizes = {bound: {**of_pod[bound], **own[bound]} for bound in own}
                yield _label(workload, text(container, "name")), sizes


def _label(workload: Workload, container: str | None) -> str:
    return f"container {container!r} of {workload.label}"


def _sizes(owner: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    resources = child(owner, "resources")
    return {bound: child(resources, bound) for bound in ("requests", "limits")}


def _is_set(sizes: _Sizes, bound: str, what: str) -> bool:
    """Whether it is there and above 0; a request that is left out is that of the limit."""
    value = sizes[bound].get(what)
    if value is None and bound == "requests":
        value = sizes["limits"].get(what)
    return value is not None and quantity.amount(value) > 0


RULES = (
    resource_rule(
        name="resources-set",
        description="Every container requests CPU and memory, and has a memory limit.",
        reason=(
            "A container without them counts as nothing in every sum, and is the one that takes "
            "the node's memory from all others."
        ),
        cure="Set resources.requests.cpu, requests.memory and limits.memory of every container.",
        check=check_needed,
    ),
    resource_rule(
        name="cpu-limit-set",
        description="Every container has a CPU limit.",
        reason="A container without one takes every core while the others wait.",
        cure="Set resources.limits.cpu of every container.",
        check=check_wanted,
        severity=EnforcementLevel.ADVISORY,
    ),
)
