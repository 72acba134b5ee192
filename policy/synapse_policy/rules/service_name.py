"""No Service called `vllm`: Kubernetes would give every pod VLLM_PORT=tcp://…, which vLLM reads."""

from pulumi_policy import ResourceValidationArgs

from synapse_policy.judging import Report, resource_rule
from synapse_policy.workload import kind_of, metadata_name

_FORBIDDEN = "vllm"


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge a Service's name."""
    if kind_of(args.resource_type) != "Service":
        return
    if metadata_name(args.props, "") == _FORBIDDEN:
        report(
            f"Service {_FORBIDDEN!r} makes Kubernetes set VLLM_PORT=tcp://… in every pod of its "
            "namespace, and vLLM takes that for its port and does not start; call it "
            "vllm-inference (engine.service_name)"
        )


RULES = (
    resource_rule(
        "no-service-called-vllm",
        "No Service is called vllm.",
        check,
    ),
)
