"""Objects of Kubernetes as resources show them: lists taken apart, kinds and namespaces read."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from pulumi_policy import PolicyResource, ResourceValidationArgs
from pulumi_policy.proxy import UnknownValueError

from synapse_policy.read_once import KEPT
from synapse_policy.reading import Props, child, children, text
from synapse_policy.word_sets import word_set
from synapse_policy.workload import Workload, brings_pods, kind_of, metadata_name

_NO_OBJECTS = ("yaml", "kustomize", "helm.sh", "pulumi")
_VERSION = re.compile(r"v\d\w*")
_CLUSTER_WIDE = word_set(
    """
    Namespace Node PersistentVolume StorageClass CSIDriver CSINode VolumeAttachment
    VolumeAttributesClass PriorityClass RuntimeClass IngressClass GatewayClass ClusterRole
    ClusterRoleBinding CustomResourceDefinition APIService MutatingWebhookConfiguration
    ValidatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
    MutatingAdmissionPolicy MutatingAdmissionPolicyBinding CertificateSigningRequest FlowSchema
    PriorityLevelConfiguration ComponentStatus ClusterTrustBundle DeviceClass ResourceSlice
    ServiceCIDR IPAddress ClusterIssuer ClusterSecretStore ClusterPolicy
    """
)


@dataclass(frozen=True)
class KubernetesObject:
    """One object; a field is read when it is asked for."""

    resource_type: str
    resource_name: str
    urn: str
    props: Props
    provider: Props

    @cached_property
    def kind(self) -> str:
        """Its kind, that of the patched object for a patch."""
        return kind_of(self.resource_type) or ""

    @cached_property
    def group(self) -> str:
        """Its API group; `core` for the oldest one."""
        return _group_of(self.resource_type)

    @property
    def is_patch(self) -> bool:
        """Whether it changes fields of an object that others made."""
        return self.resource_type.endswith("Patch")

    @cached_property
    def name(self) -> str:
        """Its name in Kubernetes."""
        return metadata_name(self.props, self.resource_name)

    @property
    def label(self) -> str:
        """How messages call it: by Pulumi's name where its own is not known yet."""
        try:
            return f"{self.kind} {self.name!r}"
        except UnknownValueError:
            return f"{self.kind} {self.resource_name!r}"

    @property
    def is_cluster_wide(self) -> bool:
        """Whether its kind knows no namespace."""
        return self.kind in _CLUSTER_WIDE

    @cached_property
    def namespace(self) -> str:
        """Its namespace: its own, its provider's, or the cluster's default."""
        own = text(child(self.props, "metadata"), "namespace")
        return own or text(self.provider, "namespace") or "default"

    @property
    def spec(self) -> Props:
        """Its spec; an empty one where there is none."""
        return child(self.props, "spec")

    def is_a(self, kind: str, *groups: str) -> bool:
        """Whether it is of this kind, in one of these groups."""
        return self.kind == kind and self.group in groups

    @cached_property
    def workload(self) -> Workload | None:
        """The view of it as something that brings pods."""
        if not brings_pods(self.resource_type):
            return None
        return Workload(self.resource_type, self.resource_name, self.urn, self.props)


_NO_PROVIDER: Props = {}
_objects: dict[tuple[int, str], KubernetesObject] = {}
"""By the identity of their properties, which they keep from being another's, and by their URN."""


@cache
def _group_of(resource_type: str) -> str:
    api_version = resource_type.split(":")[1]
    group = api_version.rpartition("/")[0]
    return group or ("core" if _VERSION.fullmatch(api_version) else api_version)


@cache
def _object_kind_of(resource_type: str) -> str | None:
    """Return the kind of an object or a list of them; None for what is neither."""
    kind = kind_of(resource_type)
    if kind is None or resource_type.split(":")[1].partition("/")[0] in _NO_OBJECTS:
        return None
    return kind


def objects_in(resource: ResourceValidationArgs | PolicyResource) -> Iterator[KubernetesObject]:
    """Yield the objects that a resource is or lists; none if it is not Kubernetes'."""
    token = resource.resource_type
    kind = _object_kind_of(token)
    if kind is None:
        return
    provider = resource.provider.props if resource.provider else _NO_PROVIDER
    if not kind.endswith("List"):
        yield _object_of(resource, provider)
        return
    for item in children(resource.props, "items"):
        item_token = token.removesuffix("Patch").removesuffix("List")
        version, item_kind = text(item, "apiVersion"), text(item, "kind")
        if version and item_kind:
            item_token = f"kubernetes:{version}:{item_kind}"
        yield KubernetesObject(item_token, resource.name, resource.urn, item, provider)


def _object_of(
    resource: ResourceValidationArgs | PolicyResource, provider: Props
) -> KubernetesObject:
    """Return the object that a resource is: the same to every rule, with all that they read."""
    key = (id(resource.props), resource.urn)
    found = _objects.get(key)
    if found is None or found.provider is not provider:
        if len(_objects) >= KEPT:
            _objects.clear()
        found = _objects[key] = KubernetesObject(
            resource.resource_type, resource.name, resource.urn, resource.props, provider
        )
    return found


def workload_in(args: ResourceValidationArgs) -> Workload | None:
    """Return the view of a resource as something that brings pods; a list is none."""
    if not brings_pods(args.resource_type):
        return None
    return next((one.workload for one in objects_in(args)), None)


def objects_of(resources: Iterable[PolicyResource]) -> tuple[KubernetesObject, ...]:
    """Return the objects of many resources, patches of others' objects left out."""
    return tuple(
        found for resource in resources for found in objects_in(resource) if not found.is_patch
    )


def by_cluster(resources: Iterable[PolicyResource]) -> list[tuple[KubernetesObject, ...]]:
    """Return the objects of a program, those of each cluster by themselves."""
    clusters: dict[str | None, list[PolicyResource]] = {}
    for one in resources:
        clusters.setdefault(one.provider.urn if one.provider else None, []).append(one)
    return [objects_of(members) for members in clusters.values()]


def with_workloads(
    objects: Iterable[KubernetesObject],
) -> Iterator[tuple[KubernetesObject, Workload]]:
    """Yield what brings pods, templates left out that no controller uses."""
    for one in objects:
        if one.workload is not None and one.kind != "PodTemplate":
            yield one, one.workload
