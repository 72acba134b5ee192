"""NetworkPolicies: everything is shut, and each service opens to its callers alone."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from synapse.components.labels import metadata, name_part
from synapse.plan.model import Caller, Plan

_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# RFC 1918, and RFC 6598, which overlay networks hand out: here a cluster has its Services.
_CLUSTER_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
_PRIVATE_RANGES = [*_CLUSTER_RANGES, "169.254.0.0/16"]  # link-local: the cloud's metadata
_HTTPS, _KUBERNETES_API, _DNS = 443, 6443, 53


def pods_with(app: str) -> NetworkPolicyPeerArgs:
    """Pods of a service in this namespace."""
    return NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs(match_labels={"app": app}))


def pods_elsewhere(namespace: str, selector: dict[str, str]) -> NetworkPolicyPeerArgs:
    """Pods of another namespace."""
    return NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels={_NAMESPACE_LABEL: namespace}),
        pod_selector=LabelSelectorArgs(match_labels=selector),
    )


def traefik() -> NetworkPolicyPeerArgs:
    """K3s's own ingress controller."""
    return pods_elsewhere("kube-system", {"app.kubernetes.io/name": "traefik"})


def callers_of(service: str, callers: Sequence[Caller]) -> list[NetworkPolicyPeerArgs]:
    """The clients that the config lets in to a Service."""
    return [
        pods_elsewhere(caller.namespace, caller.selector)
        for caller in callers
        if caller.service == service
    ]


def let_callers_out(
    name: str, plan: Plan, opts: pulumi.ResourceOptions, *, service: str, app: str, port: int
) -> None:
    """Let a Service's callers in the stack's own namespace out to it: the shut door shuts them in.

    One policy for each caller, as a policy selects by one set of labels.
    """
    inside = {
        name_part("-".join(f"{key}-{value}" for key, value in caller.selector.items())): caller
        for caller in plan.callers
        if caller.service == service and caller.namespace == plan.namespace
    }
    for which, caller in inside.items():
        NetworkPolicy(
            f"{name}-from-{which}",
            metadata=metadata(f"{service}-from-{which}", plan.namespace, app),
            spec=policy(caller.selector, egress=[reach(app, port)]),
            opts=opts,
        )


def admit(peers: Sequence[NetworkPolicyPeerArgs], port: int) -> list[NetworkPolicyIngressRuleArgs]:
    """Let these peers in to one port; without peers nobody."""
    if not peers:
        return []
    return [
        NetworkPolicyIngressRuleArgs(
            from_=list(peers), ports=[NetworkPolicyPortArgs(port=port, protocol="TCP")]
        )
    ]


def reach(app: str, port: int) -> NetworkPolicyEgressRuleArgs:
    """Let out to one port of a service in this namespace."""
    return NetworkPolicyEgressRuleArgs(
        to=[pods_with(app)], ports=[NetworkPolicyPortArgs(port=port, protocol="TCP")]
    )


def reach_internet() -> NetworkPolicyEgressRuleArgs:
    """Let out to HTTPS on public addresses: policies know no host names."""
    everywhere = IPBlockArgs(cidr="0.0.0.0/0", except_=_PRIVATE_RANGES)
    return NetworkPolicyEgressRuleArgs(
        to=[NetworkPolicyPeerArgs(ip_block=everywhere)],
        ports=[NetworkPolicyPortArgs(port=_HTTPS, protocol="TCP")],
    )


def reach_kubernetes_api() -> list[NetworkPolicyEgressRuleArgs]:
    """Let out to the API server, whose address only the cluster knows.

    A plugin may see its Service (443, in the cluster's ranges) or what lies behind it: K3s listens
    on 6443 of the node, which may have a public address.
    """
    service = [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr)) for cidr in _CLUSTER_RANGES]
    return [
        NetworkPolicyEgressRuleArgs(
            to=service, ports=[NetworkPolicyPortArgs(port=_HTTPS, protocol="TCP")]
        ),
        NetworkPolicyEgressRuleArgs(
            ports=[NetworkPolicyPortArgs(port=_KUBERNETES_API, protocol="TCP")]
        ),
    ]


def reach_dns() -> NetworkPolicyEgressRuleArgs:
    """Let out to the cluster's DNS: K3s, as kubeadm, labels CoreDNS as kube-dns."""
    return NetworkPolicyEgressRuleArgs(
        to=[pods_elsewhere("kube-system", {"k8s-app": "kube-dns"})],
        ports=[NetworkPolicyPortArgs(port=_DNS, protocol=protocol) for protocol in ("UDP", "TCP")],
    )


def policy(
    selector: dict[str, str],
    ingress: Sequence[NetworkPolicyIngressRuleArgs] = (),
    egress: Sequence[NetworkPolicyEgressRuleArgs] = (),
) -> NetworkPolicySpecArgs:
    """Both directions of the selected pods: what is not named here is refused."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels=selector),
        policy_types=["Ingress", "Egress"],
        ingress=list(ingress),
        egress=list(egress),
    )
