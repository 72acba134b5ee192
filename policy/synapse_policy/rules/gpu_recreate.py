"""A rollout on the GPU ends the old pod first: the new one cannot have its GPU before."""

from pulumi_policy import ResourceValidationArgs

from synapse_policy.judging import Report, resource_rule
from synapse_policy.reading import child
from synapse_policy.recognised import workloads_in
from synapse_policy.root import is_below_root
from synapse_policy.shares import on_gpu
from synapse_policy.workload import Workload

_STRATEGY = {"Deployment": "strategy", "DaemonSet": "updateStrategy"}


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge what rolls out with a pod more than before."""
    for workload in workloads_in(args):
        field = _STRATEGY.get(workload.kind)
        if field is None or (workload.is_patch and not child(workload.props, "spec").get(field)):
            continue
        if not workload.recreates and _is_on_gpu(workload):
            report(
                f"{workload.label} is on the GPU and its rollout starts the new pod beside the old "
                f"one, so it waits for ever for the GPU; set {_cure(workload)}"
            )


def _is_on_gpu(workload: Workload) -> bool:
    return on_gpu(workload) if is_below_root(workload.urn) else workload.gpus > 0


def _cure(workload: Workload) -> str:
    if workload.kind == "DaemonSet":
        return "updateStrategy.rollingUpdate.maxSurge to 0"
    return "strategy.type to Recreate"


RULES = (
    resource_rule(
        name="gpu-recreate",
        description="What is on the GPU rolls out by Recreate, or with maxSurge 0.",
        reason=(
            "A GPU is claimed whole: the new pod of a rolling update stays Pending until the old "
            "one is gone, and that one stays until the new one is ready."
        ),
        cure="Set strategy.type to Recreate (a DaemonSet: maxSurge 0).",
        check=check,
    ),
)
