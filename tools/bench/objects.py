"""What the deployed stack consists of, as plain objects for the bare program and for kubectl."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.simforge.api import Manifest

_PROVIDER = "pulumi:providers:kubernetes"
# How Pulumi marks a secret in an exported stack.
_SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 a constant of Pulumi's


@dataclass(frozen=True)
class StackObject:
    """One object of the cluster: its Pulumi type and name, the manifest, the resource options."""

    type: str
    name: str
    manifest: Manifest
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class StackObjects:
    """All objects of a stack, in the order of their creation, and the provider's inputs."""

    provider: Manifest
    objects: Sequence[StackObject]

    def for_program(self) -> str:
        """What the bare program reads."""
        objects = [vars(item) for item in self.objects]
        # The version is that of the SDK, which the bare program has as well.
        provider = {key: value for key, value in self.provider.items() if key != "version"}
        return json.dumps({"provider": provider, "objects": objects})

    def manifests(self, *, namespaces: bool) -> str:
        """A List for `kubectl apply`: the namespaces, or all others."""
        items = [
            item.manifest
            for item in self.objects
            if (item.manifest["kind"] == "Namespace") is namespaces
        ]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    @property
    def namespace(self) -> str:
        """The stack's own."""
        return next(
            str(item.manifest["metadata"]["name"])
            for item in self.objects
            if item.manifest["kind"] == "Namespace"
        )


def read_export(exported: str) -> StackObjects:
    """The objects of `pulumi stack export --show-secrets`."""
    resources = json.loads(exported)["deployment"]["resources"]
    provider = next(item["inputs"] for item in resources if item["type"] == _PROVIDER)
    return StackObjects(
        provider=_plain_inputs(provider),
        objects=[
            StackObject(
                item["type"],
                item["urn"].rsplit("::", 1)[1],
                _plain_inputs(item["inputs"]),
                _options(item),
            )
            for item in resources
            if item["type"].startswith("kubernetes:")
        ],
    )


def _options(item: Mapping[str, Any]) -> dict[str, object]:
    """The options that the policy pack judges, as the SDK calls them."""
    timeouts = {
        key: f"{seconds:g}s" for key, seconds in item.get("customTimeouts", {}).items() if seconds
    }
    options = {
        "protect": item.get("protect"),
        "retain_on_delete": item.get("retainOnDelete"),
        "custom_timeouts": timeouts,
    }
    return {key: value for key, value in options.items() if value}


def _plain_inputs(inputs: Mapping[str, object]) -> Manifest:
    """Without the engine's own marks."""
    return {key: _plain(value) for key, value in inputs.items() if not key.startswith("__")}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if _SECRET_MARK in value:
            return json.loads(value["plaintext"])
        return {key: _plain(item) for key, item in value.items()}
    return value
