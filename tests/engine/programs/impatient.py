"""The whole program, which gives up on some objects in seconds instead of minutes or hours.

`impatient:of` is how the names of such resources begin. Kubernetes' own deadline is shortened too,
so that they are seen to fail in the end; the engine waits a little longer.
"""

import runpy
from pathlib import Path
from typing import Any

import pulumi

import synapse

_DEADLINE_SECONDS, _ENGINE_SECONDS = 5, 20
_SHORT_DEADLINE = {
    "kubernetes:apps/v1:Deployment": {"progressDeadlineSeconds": _DEADLINE_SECONDS},
    "kubernetes:batch/v1:Job": {"backoffLimit": 0},
}


def _hurry(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    if not args.name.startswith(pulumi.Config("impatient").require("of")):
        return None
    props: dict[str, Any] = dict(args.props)
    props["spec"] = {**props["spec"], **_SHORT_DEADLINE[args.type_]}
    wait = pulumi.CustomTimeouts(create=f"{_ENGINE_SECONDS}s", update=f"{_ENGINE_SECONDS}s")
    opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(custom_timeouts=wait))
    return pulumi.ResourceTransformResult(props, opts)


pulumi.runtime.register_resource_transform(_hurry)
runpy.run_path(str(Path(synapse.__file__).parents[1] / "__main__.py"))
