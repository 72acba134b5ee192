"""Register what `resources.json` names, as any program might; a preview needs no cluster."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pulumi

PROVIDER_TYPE = "pulumi:providers:kubernetes"
_OPTIONS = ("protect", "retain_on_delete")


class Cluster(pulumi.ProviderResource):
    """A provider that writes manifests to files instead of asking a cluster."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("kubernetes", name, {"renderYamlToDirectory": "rendered"}, opts)


def _unknown() -> pulumi.Output[str]:
    """A value that no preview knows, like another resource's output."""
    loop = asyncio.get_running_loop()
    value, known, secret = (loop.create_future() for _ in range(3))
    value.set_result("")
    known.set_result(False)
    secret.set_result(False)
    return pulumi.Output(set(), value, known, secret)


def _inputs(value: Any) -> Any:
    """The inputs, with unknown values where `{"$unknown": true}` stands."""
    if isinstance(value, dict):
        if "$unknown" in value:
            return _unknown()
        return {key: _inputs(one) for key, one in value.items()}
    return [_inputs(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    """Register all of them; parents and the provider come before what needs them."""
    document = json.loads(Path("resources.json").read_text("utf-8"))
    version = pulumi.ResourceOptions(version=document["provider_version"])
    made: dict[str, pulumi.Resource] = {}
    cluster: Cluster | None = None
    for one in document["resources"]:
        options = {key: one["options"][key] for key in _OPTIONS if key in one["options"]}
        within = {
            step: one["options"][f"{step}_within"]
            for step in ("create", "update")
            if f"{step}_within" in one["options"]
        }
        opts = pulumi.ResourceOptions(
            parent=made.get(one["parent"]),
            custom_timeouts=pulumi.CustomTimeouts(**within) if within else None,
            **options,
        )
        if one["type"] == PROVIDER_TYPE:
            cluster = Cluster(one["name"], pulumi.ResourceOptions.merge(opts, version))
            continue
        inputs = _inputs(one["inputs"])
        if one["component"]:
            made[one["name"]] = pulumi.ComponentResource(one["type"], one["name"], inputs, opts)
            continue
        if cluster is None:
            cluster = Cluster("cluster", version)
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=cluster))
        pulumi.CustomResource(one["type"], one["name"], inputs, opts)


main()
