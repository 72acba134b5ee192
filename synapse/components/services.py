"""Services, and the addresses behind them."""

from collections.abc import Mapping

from pulumi_kubernetes.core.v1 import ServicePortArgs, ServiceSpecArgs

from synapse.names import SERVING, SERVING_LABEL

LOCAL_DOMAIN = "svc.cluster.local"


def service_spec(
    app: str, ports: Mapping[str, tuple[int, int]], *, drains: bool = False
) -> ServiceSpecArgs:
    """A cluster-internal Service: port name → (port, container port).

    `drains`: its pods are taken out of it by a label of theirs.
    """
    return ServiceSpecArgs(
        type="ClusterIP",
        selector={"app": app} | ({SERVING_LABEL: SERVING} if drains else {}),
        ports=[
            ServicePortArgs(name=name, port=port, target_port=target, protocol="TCP")
            for name, (port, target) in ports.items()
        ],
    )


def host(service: str, namespace: str) -> str:
    """The name of a Service for any pod of the cluster."""
    return f"{service}.{namespace}.{LOCAL_DOMAIN}"


def url(service: str, namespace: str, port: int) -> str:
    """The address of a Service for any pod of the cluster."""
    return f"http://{host(service, namespace)}:{port}"
