"""Services, and the addresses behind them."""

from collections.abc import Mapping

from pulumi_kubernetes.core.v1 import ServicePortArgs, ServiceSpecArgs

LOCAL_DOMAIN = "svc.cluster.local"


def service_spec(app: str, ports: Mapping[str, tuple[int, int]]) -> ServiceSpecArgs:
    """A cluster-internal Service: port name → (port, container port)."""
    return ServiceSpecArgs(
        type="ClusterIP",
        selector={"app": app},
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
