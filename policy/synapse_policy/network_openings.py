"""What a NetworkPolicy's rule lets through: to named pods, or to everybody."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from synapse_policy.objects import KubernetesObject
from synapse_policy.reading import Props, UnreadableError, child, children, number, text, texts
from synapse_policy.selectors import selects_everything

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 1918, link-local with the clouds' metadata address, RFC 6598 of overlay networks, loopback,
# and the like of IPv6.
PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)
_MUST_BE_EXCEPTED = {4: PRIVATE[:5], 6: PRIVATE[6:8]}


class Reach(Enum):
    """How far a peer reaches."""

    NAMED = "named pods or private addresses"
    PODS = "every pod of the cluster"
    PUBLIC = "public addresses"
    EVERYBODY = "everybody"


@dataclass(frozen=True)
class Opening:
    """One rule of a policy in one direction.

    Attributes:
        ports: (protocol, port) of each; empty for every port, port 0 for a range or a name.
        unexcepted: private ranges that a public block includes.
    """

    direction: str
    reach: Reach
    ports: frozenset[tuple[str, int]]
    unexcepted: tuple[str, ...]

    def is_only(self, *ports: tuple[str, int]) -> bool:
        """Whether it lets through to some of these ports and to no other."""
        return bool(self.ports) and self.ports <= set(ports)


def directions(policy: KubernetesObject) -> frozenset[str]:
    """Return the directions that a policy shuts: unsaid, `Egress` only if it has such rules."""
    said = texts(policy.spec, "policyTypes")
    if said:
        return frozenset(said)
    has_egress = bool(list(children(policy.spec, "egress")))
    return frozenset(("Ingress", "Egress") if has_egress else ("Ingress",))


def openings(policy: KubernetesObject) -> Iterator[Opening]:
    """Yield what a policy lets through; a rule is as open as the widest of its peers."""
    for direction, peers_key, key in (("Ingress", "from", "ingress"), ("Egress", "to", "egress")):
        if direction not in directions(policy):
            continue
        for rule in children(policy.spec, key):
            ports = frozenset(_port(one) for one in children(rule, "ports"))
            found = [_peer(peer, policy) for peer in children(rule, peers_key)]
            if not found:
                yield Opening(direction, Reach.EVERYBODY, ports, ())
            for reach, unexcepted in found:
                yield Opening(direction, reach, ports, unexcepted)


def _port(port: Props) -> tuple[str, int]:
    protocol = text(port, "protocol") or "TCP"
    value = port.get("port")
    if port.get("endPort") is not None or not isinstance(value, int | float):
        return protocol, 0
    return protocol, round(number(port, "port") or 0)


def _peer(peer: Props, policy: KubernetesObject) -> tuple[Reach, tuple[str, ...]]:
    block = child(peer, "ipBlock")
    if block:
        return _block(block, policy)
    everywhere = peer.get("namespaceSelector") is not None and selects_everything(
        child(peer, "namespaceSelector")
    )
    if everywhere and selects_everything(child(peer, "podSelector")):
        return Reach.PODS, ()
    if peer.get("namespaceSelector") is None and peer.get("podSelector") is None:
        return Reach.EVERYBODY, ()
    return Reach.NAMED, ()


def _block(block: Props, policy: KubernetesObject) -> tuple[Reach, tuple[str, ...]]:
    network = _network(text(block, "cidr") or "", policy)
    if any(_lies_in(network, private) for private in PRIVATE):
        return Reach.NAMED, ()
    excepted = [_network(one, policy) for one in texts(block, "except")]
    unexcepted = tuple(
        str(private)
        for private in _MUST_BE_EXCEPTED[network.version]
        if _lies_in(private, network) and not any(_lies_in(private, one) for one in excepted)
    )
    return Reach.PUBLIC, unexcepted


def _lies_in(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _network(block: str, policy: KubernetesObject) -> Network:
    try:
        return ipaddress.ip_network(block, strict=False)
    except ValueError:
        raise UnreadableError(
            f"{policy.label} has ipBlock {block!r}, which is no range of addresses; write it as "
            "10.0.0.0/8"
        ) from None
