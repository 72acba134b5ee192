"""The whole program, which gives up on an object in seconds instead of minutes and hours.

Kubernetes' own deadlines are shortened, so that what fails is seen to fail as it does in the end;
the engine waits a little longer than they do.
"""

import runpy
from pathlib import Path
from typing import Any

import pulumi

import synapse

_OBJECT_SECONDS = 5
_ENGINE_SECONDS = 30


def _hurry(
    args: pulumi.ResourceTransformArgs,
) -> pulumi.ResourceTransformResult | None:
    props: dict[str, Any] = dict(args.props)
    if args.type_ == "kubernetes:apps/v1:Deployment":
        props["spec"] = {**props["spec"], "progressDeadlineSeconds": _OBJECT_SECONDS}
    elif args.type_ == "kubernetes:batch/v1:Job":
        props["spec"] = {**props["spec"], "backoffLimit": 0}
    else:
        return None
    wait = pulumi.CustomTimeouts(create=f"{_ENGINE_SECONDS}s", update=f"{_ENGINE_SECONDS}s")
    opts = pulumi.ResourceOptions.merge(
        args.opts, pulumi.ResourceOptions(custom_timeouts=wait)
    )
    return pulumi.ResourceTransformResult(props, opts)


pulumi.runtime.register_resource_transform(_hurry)
runpy.run_path(str(Path(synapse.__file__).parents[1] / "__main__.py"))
