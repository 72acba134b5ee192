"""Secrets of the stack: applied to a cluster, or left out of, or sealed in, rendered manifests."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from synapse.components.labels import metadata


@dataclass(frozen=True)
class Secrets:
    """The secret values of the config, and whether Secret objects are made of them at all."""

    hf_token: pulumi.Output[str] | None
    gateway_key: pulumi.Output[str] | None
    applied: bool
    """False: manifests are rendered, and the operator brings the Secrets himself."""


def store(
    resource_name: str,
    name: str,
    namespace: str,
    app: str,
    values: dict[str, pulumi.Output[str]],
    *,
    applied: bool,
    opts: pulumi.ResourceOptions,
) -> str:
    """Register a Secret if Secrets are applied, and return the name to refer to it by."""
    if applied:
        Secret(
            resource_name,
            metadata=metadata(name, namespace, app),
            string_data=values,
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["stringData", "data"])
            ),
        )
    return name
