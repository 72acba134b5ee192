"""Images come from a registry: imagePullPolicy Never makes a node's own store the source."""

from collections.abc import Iterator, Mapping, Sequence

from pulumi_policy import ResourceValidationArgs
from pulumi_policy.proxy import UnknownValueError

from synapse_policy.judging import Report, resource_rule
from synapse_policy.objects import workload_in
from synapse_policy.reading import children, text
from synapse_policy.workload import kind_of

_KEY = "imagePullPolicy"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge every container, and the same key anywhere else in an object of Kubernetes."""
    workload = workload_in(args)
    if workload is not None:
        for group in _CONTAINERS:
            for container in children(workload.pod_spec, group):
                if text(container, _KEY) == "Never":
                    _report(f"{group} {text(container, 'name')!r} of {workload.label}", report)
    elif kind_of(args.resource_type) is not None:
        for path in _nevers(args.props, ""):
            _report(f"{path} of {kind_of(args.resource_type)} {args.name!r}", report)


def _nevers(value: object, path: str) -> Iterator[str]:
    """Yield where a custom resource or a list says Never; what is unknown there is passed over."""
    if isinstance(value, Mapping):
        for key in value:
            try:
                inner = value[key]
            except UnknownValueError:
                if key == _KEY:
                    raise
                continue
            if key == _KEY and inner == "Never":
                yield f"{path}.{key}".lstrip(".")
            yield from _nevers(inner, f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index in range(len(value)):
            try:
                inner = value[index]
            except UnknownValueError:
                continue
            yield from _nevers(inner, f"{path}[{index}]")


def _report(where: str, report: Report) -> None:
    report(
        f"{where} has {_KEY}: Never, so it runs only where somebody loaded the image by hand, and "
        f"no other node can take over; push the image and set {_KEY} to IfNotPresent"
    )


RULES = (
    resource_rule(
        name="never-pull-never",
        description="No container has imagePullPolicy Never.",
        reason=(
            "With imagePullPolicy Never a pod runs only where somebody loaded the image by hand, "
            "and no other node can take over."
        ),
        cure="Push the image to a registry and set imagePullPolicy to IfNotPresent.",
        check=check,
    ),
)
