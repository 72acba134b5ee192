"""Images are pinned: the same name brings the same program tomorrow, and after a rollback."""

from collections.abc import Iterator
from typing import NamedTuple

from pulumi_policy import EnforcementLevel, ResourceValidationArgs

from synapse_policy import image_reference
from synapse_policy.judging import Report, resource_rule
from synapse_policy.objects import KubernetesObject, objects_in
from synapse_policy.reading import Props, child, children, text
from synapse_policy.recognised import workloads_in

_OPERATOR_GROUP = "monitoring.coreos.com"


class _Named(NamedTuple):
    """An image, and where it stands."""

    where: str
    image: str


def check_pinned(args: ResourceValidationArgs, report: Report) -> None:
    """Judge the tag of every image that a resource names."""
    for where, image in _images(args):
        why = image_reference.parse(image).moves
        if why is not None:
            report(
                f"{where}: image {image!r} may be another one tomorrow: {why}; write the version's "
                "tag, best with its digest, such as …:1.2.3@sha256:…"
            )


def check_digest(args: ResourceValidationArgs, report: Report) -> None:
    """Wish for a digest where there is a tag alone."""
    for where, image in _images(args):
        reference = image_reference.parse(image)
        if reference.moves is None and not reference.digest:
            report(
                f"{where}: image {image!r} has a tag and no digest; add the digest that its "
                "registry shows, …:1.2.3@sha256:…"
            )


def _images(args: ResourceValidationArgs) -> Iterator[_Named]:
    for workload in workloads_in(args):
        yield from _of_pod(workload.label, workload.pod_spec, partial=workload.is_patch)
    for one in objects_in(args):
        if one.group == _OPERATOR_GROUP and not one.is_patch:
            yield from _of_operator(one)


def _of_pod(label: str, spec: Props, *, partial: bool) -> Iterator[_Named]:
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in children(spec, group):
            image = text(container, "image")
            if image is not None or not partial:
                where = f"{group} {text(container, 'name')!r} of {label}"
                yield _Named(where, image or "")
    for volume in children(spec, "volumes"):
        reference = text(child(volume, "image"), "reference")
        if reference is not None:
            yield _Named(f"volume {text(volume, 'name')!r} of {label}", reference)


def _of_operator(one: KubernetesObject) -> Iterator[_Named]:
    """Prometheus and its like: their own image, and containers that complete the operator's."""
    image = text(one.spec, "image")
    if image is not None:
        yield _Named(one.label, image)
    yield from _of_pod(one.label, one.spec, partial=True)


RULES = (
    resource_rule(
        name="image-pinned",
        description="Every image is named by the tag of a version, or by its digest.",
        reason=(
            "What latest means changes under a running stack: pods of one Deployment run different "
            "programs, and a rollback brings back another one than before."
        ),
        cure="Write the tag of a version, best with its digest: image:1.2.3@sha256:….",
        check=check_pinned,
    ),
    resource_rule(
        name="image-digest",
        description="Every image is named by its digest as well.",
        reason="A registry lets its owner, or a thief of the account, put a tag on another image.",
        cure="Add the digest that the registry shows: image:1.2.3@sha256:….",
        check=check_digest,
        severity=EnforcementLevel.ADVISORY,
    ),
)
