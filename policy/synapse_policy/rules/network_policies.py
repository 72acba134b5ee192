"""Every pod is shut in by NetworkPolicies in both directions, and only named openings lead out."""

from collections.abc import Iterable, Iterator, Sequence

from pulumi_policy import ResourceValidationArgs, StackValidationArgs

from synapse_policy.judging import Report, Scope, resource_rule, stack_rule
from synapse_policy.network_openings import Opening, Reach, directions, openings
from synapse_policy.objects import (
    KubernetesObject,
    by_cluster,
    objects_in,
    objects_of,
    with_workloads,
)
from synapse_policy.of_the_node import EXCEPTED, is_of_the_node
from synapse_policy.reading import child, text
from synapse_policy.root import is_below_root
from synapse_policy.selectors import selects, selects_everything
from synapse_policy.servers import servers_in
from synapse_policy.stack import stack_of
from synapse_policy.workload import MODEL_ANNOTATION, Workload

_DNS = (("UDP", 53), ("TCP", 53))
_HTTPS = (("TCP", 443),)
_KUBERNETES_API = (("TCP", 6443),)
"""Where K3s's API server listens; its Service's 443 lies in the cluster's private ranges."""
_BOTH = ("Ingress", "Egress")


def check_resource(args: ResourceValidationArgs, report: Report) -> None:
    """Judge what one NetworkPolicy of the stack opens, whoever its pods are."""
    if not is_below_root(args.urn):
        return
    for one in objects_in(args):
        if one.is_a("NetworkPolicy", "networking.k8s.io"):
            for opening in openings(one):
                fault = _fault(opening)
                if fault is not None:
                    report(f"{one.label}: its {opening.direction.lower()} {fault}")


def _fault(opening: Opening) -> str | None:
    """Say what no pod may be given; what some may is for the stack to tell."""
    if opening.reach is Reach.NAMED:
        return None
    if opening.direction == "Ingress":
        return (
            f"lets in {opening.reach.value}; name the callers by namespaceSelector and "
            "podSelector, outsiders come by Traefik"
        )
    if opening.reach is Reach.PUBLIC:
        return _fault_of_downloads(opening)
    if opening.reach is Reach.EVERYBODY and opening.is_only(*_KUBERNETES_API):
        return None
    return (
        f"lets out to {opening.reach.value} ({_ports(opening)}); name the pods that it calls, for "
        "the API server TCP 6443, for downloads TCP 443 to 0.0.0.0/0 except private ranges"
    )


def _fault_of_downloads(opening: Opening) -> str | None:
    if not opening.is_only(*_HTTPS):
        return f"lets out to public addresses ({_ports(opening)}); downloads need TCP 443 alone"
    if opening.unexcepted:
        return (
            f"lets out to the private ranges {', '.join(opening.unexcepted)} as well, so to every "
            "pod and the node; name them in ipBlock.except"
        )
    return None


def check_stack(args: StackValidationArgs, report: Report) -> None:
    """Judge whether every pod is covered, and who is behind the openings to the outside."""
    stack = stack_of(args)
    if stack is None:
        for program in by_cluster(args.resources):
            _judge_foreign(program, report)
        return
    objects = objects_of(stack.resources)
    policies = _policies(objects)
    found = [both for both in with_workloads(objects) if not is_of_the_node(both[1])]
    _judge_cover(found, policies, report)
    for namespace in dict.fromkeys(owner.namespace for owner, _ in found):
        if not any(one.namespace == namespace and _denies_all(one) for one in policies):
            report(
                f"namespace {namespace!r} has no default-deny: add a NetworkPolicy with "
                "podSelector: {}, policyTypes [Ingress, Egress], and no rule but DNS"
            )
    for policy in policies:
        _judge_outlets(policy, found, report)


def _judge_foreign(objects: Sequence[KubernetesObject], report: Report) -> None:
    """Elsewhere the pods count that serve models, and answer whoever asks."""
    serving = [(one, workload) for one, workload in with_workloads(objects) if servers_in(workload)]
    _judge_cover(serving, _policies(objects), report)


def _policies(objects: Iterable[KubernetesObject]) -> list[KubernetesObject]:
    return [one for one in objects if one.is_a("NetworkPolicy", "networking.k8s.io")]


def _judge_cover(
    found: Sequence[tuple[KubernetesObject, Workload]],
    policies: Iterable[KubernetesObject],
    report: Report,
) -> None:
    for owner, workload in found:
        ours = [
            one
            for one in policies
            if one.namespace == owner.namespace
            and selects(child(one.spec, "podSelector"), workload.pod_labels)
        ]
        shut = {direction for one in ours for direction in directions(one)}
        open_ways = [way for way in _BOTH if way not in shut]
        if open_ways:
            report(
                f"no NetworkPolicy of namespace {owner.namespace!r} selects the pods of "
                f"{workload.label} for {' and '.join(open_ways).lower()}, so they are open to the "
                "whole cluster; add one with the labels of its pods and both policyTypes",
                owner.urn,
            )


def _denies_all(policy: KubernetesObject) -> bool:
    """Whether it selects every pod and lets nothing through but DNS."""
    return (
        selects_everything(child(policy.spec, "podSelector"))
        and directions(policy) >= set(_BOTH)
        and all(one.direction == "Egress" and one.is_only(*_DNS) for one in openings(policy))
    )


def _judge_outlets(
    policy: KubernetesObject,
    found: Sequence[tuple[KubernetesObject, Workload]],
    report: Report,
) -> None:
    """Public addresses are for download Jobs, the API server for pods with a token."""
    for opening in openings(policy):
        if opening.direction != "Egress" or opening.reach in (Reach.NAMED, Reach.PODS):
            continue
        for owner, workload in _selected(policy, found):
            if opening.reach is Reach.PUBLIC and not _downloads(workload):
                report(
                    f"{policy.label} lets {workload.label} out to public addresses, which only a "
                    f"Job that downloads a model needs (kind Job, annotation {MODEL_ANNOTATION}); "
                    "take its pods out of the podSelector",
                    owner.urn,
                )
            elif opening.reach is Reach.EVERYBODY and not _calls_the_api(workload):
                report(
                    f"{policy.label} lets {workload.label} out to the API server's port at any "
                    "address, and the pod has no account of its own with a token; take its pods "
                    "out of the podSelector",
                    owner.urn,
                )


def _selected(
    policy: KubernetesObject, found: Iterable[tuple[KubernetesObject, Workload]]
) -> Iterator[tuple[KubernetesObject, Workload]]:
    for owner, workload in found:
        if owner.namespace == policy.namespace and selects(
            child(policy.spec, "podSelector"), workload.pod_labels
        ):
            yield owner, workload


def _downloads(workload: Workload) -> bool:
    return workload.kind == "Job" and workload.annotation(MODEL_ANNOTATION) is not None


def _calls_the_api(workload: Workload) -> bool:
    account = text(workload.pod_spec, "serviceAccountName")
    if account in (None, "default"):
        return False
    return workload.pod_spec.get("automountServiceAccountToken") is not False


def _ports(opening: Opening) -> str:
    if not opening.ports:
        return "on every port"
    named = (f"{protocol} {port or 'range'}" for protocol, port in sorted(opening.ports))
    return "on " + ", ".join(named)


_REASON = (
    "Without a policy every pod of the cluster may call the engine past the gateway's keys, and "
    "whoever breaks into a pod may send prompts and keys anywhere."
)
_CURE = (
    "A default-deny for the namespace, a policy for each app with its callers by label, and HTTPS "
    "to public addresses for download Jobs alone."
)

RULES = (
    resource_rule(
        name="network-policy-opens-named-ways",
        description="No NetworkPolicy of the stack lets everybody in, or its pods out anywhere.",
        reason=_REASON,
        cure=_CURE,
        check=check_resource,
        scope=Scope.ROOT,
    ),
    stack_rule(
        name="network-policy-covers-deployed",
        description="NetworkPolicies shut every pod in, and let only downloads out to the world.",
        reason=f"{_REASON} {EXCEPTED}.",
        cure=_CURE,
        check=check_stack,
    ),
)
