"""HTTPS in, by K3s's Traefik: one host for the gateway, and one for Ollama if it is asked for."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from synapse.components.labels import metadata

_API_VERSION = "traefik.io/v1alpha1"


@dataclass(frozen=True)
class RouteArgs:
    """A host, the Service behind it with its `app` label, and the paths that are let in."""

    host: str
    service: str
    app: str
    port: int
    paths: tuple[str, ...]
    namespace: str
    tls_secret: str


class HttpsRoute(pulumi.ComponentResource):
    """An IngressRoute on the entry point `websecure` alone: plain HTTP is not served.

    Attributes:
        url: public address.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: RouteArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("synapse:edge:HttpsRoute", name, None, opts)
        CustomResource(
            f"{name}-route",
            api_version=_API_VERSION,
            kind="IngressRoute",
            metadata=metadata(args.service, args.namespace, args.app),
            spec={
                "entryPoints": ["websecure"],
                "routes": [
                    {
                        "kind": "Rule",
                        "match": _match(args),
                        "services": [{"name": args.service, "port": args.port}],
                    }
                ],
                # Traefik finds a certificate only in the route's own namespace.
                "tls": {"secretName": args.tls_secret},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = pulumi.Output.from_input(f"https://{args.host}")
        self.register_outputs({"url": self.url})


def _match(args: RouteArgs) -> str:
    """Named paths alone: metrics and admin pages of a service are not in the list."""
    paths = " || ".join(f"PathPrefix(`{path}`)" for path in args.paths)
    return f"Host(`{args.host}`) && ({paths})"
