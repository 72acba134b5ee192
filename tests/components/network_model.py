"""What NetworkPolicies allow, decided from the objects as a cluster would: a second opinion.

Pods of the stack's namespace are subject to its policies; what other namespaces allow their own
pods is not this stack's to say.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.components.recorder import Json, Recorded

NAMESPACE = "llm-infra"


@dataclass(frozen=True)
class End:
    """A pod, by its namespace and labels."""

    namespace: str
    labels: dict[str, str] = field(default_factory=dict)


def reaches(recorded: Recorded, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether one pod may open a connection to another."""
    return all(
        _allowed(recorded, own, other, direction=direction, port=port, protocol=protocol)
        for own, direction, other in ((source, "egress", target), (target, "ingress", source))
    )


def reaches_address(recorded: Recorded, source: End, address: str, port: int) -> bool:
    """Whether a pod may open a connection to an address outside the cluster."""
    outside = ipaddress.ip_address(address)
    return _allowed(recorded, source, outside, direction="egress", port=port, protocol="TCP")


Other = End | ipaddress.IPv4Address | ipaddress.IPv6Address


def _allowed(
    recorded: Recorded, own: End, other: Other, *, direction: str, port: int, protocol: str
) -> bool:
    policies = [
        one
        for one in recorded.of_kind("NetworkPolicy")
        if one.inputs["metadata"]["namespace"] == own.namespace
        and direction.title() in one.spec["policyTypes"]
        and _selects(one.spec["podSelector"], own.labels)
    ]
    if not policies:
        return True
    rules = [rule for one in policies for rule in one.spec.get(direction, [])]
    peers = "to" if direction == "egress" else "from"
    return any(
        _port_matches(rule.get("ports"), port, protocol)
        and (not rule.get(peers) or _any_peer_matches(rule[peers], own.namespace, other))
        for rule in rules
    )


def _selects(selector: Json, labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, "only labels are understood here"
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def _port_matches(ports: list[Json] | None, port: int, protocol: str) -> bool:
    return not ports or any(
        one["port"] == port and one.get("protocol", "TCP") == protocol for one in ports
    )


def _any_peer_matches(peers: Iterable[Json], own_namespace: str, other: Other) -> bool:
    return any(_peer_matches(peer, own_namespace, other) for peer in peers)


def _peer_matches(peer: Json, own_namespace: str, other: Other) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return (
            not isinstance(other, End)
            and other in ipaddress.ip_network(block["cidr"])
            and not any(other in ipaddress.ip_network(one) for one in block.get("except", []))
        )
    if not isinstance(other, End):
        return False
    if "namespaceSelector" in peer:
        named = {"kubernetes.io/metadata.name": other.namespace}
        in_namespace = _selects(peer["namespaceSelector"], named)
    else:
        in_namespace = other.namespace == own_namespace
    return in_namespace and _selects(peer.get("podSelector", {}), other.labels)
