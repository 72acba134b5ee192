"""Secrets of the stack: applied to a cluster, or left out of, or sealed in, rendered manifests."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from synapse.components.labels import labels, metadata
from synapse.components.sealing import seal


@dataclass(frozen=True)
class Apply:
    """Secret objects go to the cluster."""


@dataclass(frozen=True)
class Omit:
    """No Secret object is made: the operator brings it himself."""


@dataclass(frozen=True)
class Seal:
    """SealedSecret objects are made, for the controller that holds this certificate's key."""

    certificate: str


@dataclass(frozen=True)
class Secrets:
    """The secret values of the config, and what becomes of them."""

    hf_token: pulumi.Output[str] | None
    gateway_key: pulumi.Output[str] | None
    gateway_previous_key: pulumi.Output[str] | None
    handling: Apply | Omit | Seal


@dataclass(frozen=True)
class SecretName:
    """Where a Secret lies, and to which service it belongs."""

    name: str
    namespace: str
    app: str


def store(
    resource_name: str,
    secret: SecretName,
    values: dict[str, pulumi.Output[str]],
    handling: Apply | Omit | Seal,
    opts: pulumi.ResourceOptions,
) -> str:
    """Register a Secret as its handling asks, and return the name to refer to it by."""
    if isinstance(handling, Apply):
        Secret(
            resource_name,
            metadata=metadata(secret.name, secret.namespace, secret.app),
            string_data=values,
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["stringData", "data"])
            ),
        )
    elif isinstance(handling, Seal):
        certificate = handling.certificate
        encrypted = {
            key: value.apply(lambda text: seal(text, certificate, secret.name, secret.namespace))
            for key, value in values.items()
        }
        CustomResource(
            resource_name,
            api_version="bitnami.com/v1alpha1",
            kind="SealedSecret",
            metadata=metadata(secret.name, secret.namespace, secret.app),
            spec={
                # What only the controller can read is no secret any more.
                "encryptedData": {
                    key: pulumi.Output.unsecret(value) for key, value in encrypted.items()
                },
                "template": {
                    "metadata": {
                        "name": secret.name,
                        "namespace": secret.namespace,
                        "labels": labels(secret.app),
                    }
                },
            },
            opts=opts,
        )
    return secret.name
