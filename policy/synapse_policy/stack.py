"""The resources of a stack that share the root's machine."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pulumi_policy import PolicyResource, ResourceValidationArgs, StackValidationArgs

from synapse_policy import quantity
from synapse_policy.objects import objects_of, with_workloads, workload_in
from synapse_policy.plan_view import PlanView
from synapse_policy.reading import Props, UnreadableError, child, children
from synapse_policy.root import is_below_root, plan_for, root_in
from synapse_policy.workload import Workload, metadata_name


@dataclass(frozen=True)
class Claim:
    """A volume claim."""

    name: str
    urn: str
    size_gib: float


@dataclass(frozen=True)
class Stack:
    """The plan of the root, and what is really there."""

    plan: PlanView
    urn: str
    resources: tuple[PolicyResource, ...]

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """All that bring pods, their owners' copies left out."""
        return workloads_of(self.resources)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """All volume claims, those of StatefulSets included."""
        return tuple(claims_of(self.resources))


def workloads_of(resources: Iterable[PolicyResource]) -> tuple[Workload, ...]:
    """Return all that bring pods, their owners' copies left out."""
    return tuple(workload for _, workload in with_workloads(objects_of(resources)))


def claims_of(resources: Iterable[PolicyResource]) -> Iterator[Claim]:
    """Yield all volume claims, those of StatefulSets included."""
    for one in objects_of(resources):
        if one.kind == "PersistentVolumeClaim":
            yield Claim(one.name, one.urn, storage_gib(one.name, one.props))
        elif one.kind == "StatefulSet" and one.workload is not None:
            for template in children(one.spec, "volumeClaimTemplates"):
                name = f"{metadata_name(template, 'volume')}-{one.name}"
                yield Claim(name, one.urn, storage_gib(name, template) * one.workload.replicas)


def storage_gib(name: str, props: Props) -> float:
    """Return the size that a claim asks for."""
    requests = child(child(child(props, "spec"), "resources"), "requests")
    value = requests.get("storage")
    if value is None:
        raise UnreadableError(f"claim {name!r} asks for no storage; set resources.requests.storage")
    return quantity.gib(value)


def stack_of(args: StackValidationArgs) -> Stack | None:
    """Return the stack of the root; None in a program that has no root.

    A resource outside the root counts if it goes to the same cluster, which its provider tells.
    """
    root = root_in(args.resources)
    if root is None:
        return None
    clusters = {
        _cluster(one)
        for one in args.resources
        if is_below_root(one.urn) and one.resource_type.startswith("kubernetes:")
    }
    ours = tuple(
        one for one in args.resources if is_below_root(one.urn) or _cluster(one) in clusters
    )
    return Stack(plan_for(root.urn), root.urn, ours)


def _cluster(resource: PolicyResource) -> str | None:
    return resource.provider.urn if resource.provider else None


def workload_below_root(args: ResourceValidationArgs) -> Workload | None:
    """Return the workload that a resource rule is shown, if it belongs to a root."""
    return workload_in(args) if is_below_root(args.urn) else None
