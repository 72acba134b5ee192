"""Sets of resources as data: made of manifests or of a recorded program, and varied."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict

from tests.components.recorder import Hidden, Recorded, Registered
from tests.policy.changes import Change, ChangeError, Json, apply

ROOT_TYPE = "synapse:stack:Synapse"
PROVIDER_TYPE = "pulumi:providers:kubernetes"

_NOT_IN_A_NAMESPACE = (
    "Namespace",
    "PriorityClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "StorageClass",
    "PersistentVolume",
    "IngressClass",
    "RuntimeClass",
)


@dataclass(frozen=True)
class Resource:
    """One registration.

    Attributes:
        name: Pulumi's, one of a kind in its set.
        parent: Pulumi's name of the component above it.
        options: what of `protect`, `retain_on_delete`, `create_within`, `update_within` is set.
    """

    type: str
    name: str
    inputs: Json
    parent: str | None = None
    options: Json = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.type.rpartition(":")[2]

    @property
    def is_kubernetes(self) -> bool:
        return self.type.startswith("kubernetes:")

    @property
    def is_component(self) -> bool:
        return not self.is_kubernetes and self.type != PROVIDER_TYPE

    @property
    def label(self) -> str:
        """`Kind/name`, as changes call it."""
        metadata = self.inputs.get("metadata") or {}
        return f"{self.kind}/{metadata.get('name') or self.name}"


Resources = tuple[Resource, ...]


class Variation(BaseModel):
    """How a set of resources is turned into another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: tuple[Change, ...] = ()
    without: tuple[str, ...] = ()
    """`Kind/name` of what is left out."""
    objects: tuple[Json, ...] = ()
    """Manifests that are added."""
    outside: bool = False
    """Whether those stand outside the root, where there is one."""


def manifest(made: Mapping[str, Any], namespace: str, prefix: str = "") -> Resource:
    """The resource that a manifest is.

    It goes into the namespace unless it says `namespace` itself; null means that it names none. Its
    key `options` holds Pulumi's.
    """
    inputs: Json = json.loads(json.dumps(made))
    options = inputs.pop("options", {})
    metadata = inputs.setdefault("metadata", {})
    if inputs["kind"] not in _NOT_IN_A_NAMESPACE:
        metadata.setdefault("namespace", namespace)
        if metadata["namespace"] is None:
            del metadata["namespace"]
    group = inputs["apiVersion"]
    token = f"kubernetes:{group if '/' in group else f'core/{group}'}:{inputs['kind']}"
    name = metadata.get("name") or metadata.get("generateName", "unnamed")
    return Resource(token, f"{prefix}{inputs['kind']}/{name}", inputs, options=options)


def recorded(program: Recorded) -> Resources:
    """What a recorded program registered."""
    names = {one.urn: one.name for one in program.resources}
    return tuple(_recorded(one, names) for one in program.resources)


def _recorded(one: Registered, names: Mapping[str, str]) -> Resource:
    options = {
        "protect": one.protected,
        "retain_on_delete": one.retained_on_delete,
        "create_within": one.created_within,
        "update_within": one.updated_within,
    }
    set_options = {key: value for key, value in options.items() if value}
    return Resource(one.type, one.name, _shown(one.inputs), names.get(one.parent), set_options)


def _shown(value: Any) -> Any:
    """A secret as the pack is shown it: the engine hands it over in the clear."""
    if isinstance(value, Hidden):
        return _shown(value.value)
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    return [_shown(one) for one in value] if isinstance(value, list) else value


def varied(resources: Resources, how: Variation, namespace: str, prefix: str = "") -> Resources:
    """The set after a variation.

    Raises:
        ChangeError: something that it names is not there, or not once.
    """
    found = list(resources)
    for change in how.change:
        index = _index(found, change.at)
        found[index] = _changed(found[index], change)
    for label in how.without:
        del found[_index(found, label)]
    root = next((one.name for one in resources if one.type == ROOT_TYPE), None)
    parent = None if how.outside else root
    added = [manifest(made, namespace, prefix) for made in how.objects]
    return (*found, *(replace(one, parent=parent) for one in added))


def _index(resources: Sequence[Resource], label: str) -> int:
    """Where the one resource with this label is; `*` stands for a hash of its content."""
    found = [index for index, one in enumerate(resources) if fnmatchcase(one.label, label)]
    if len(found) != 1:
        raise ChangeError(f"{label} is there {len(found)} times")
    return found[0]


def _changed(one: Resource, change: Change) -> Resource:
    changed = apply(change, one.kind, {**one.inputs, "options": one.options})
    options = changed.pop("options")
    return replace(one, inputs=changed, options=options)


def urns(resources: Iterable[Resource], stack: str) -> dict[str, str]:
    """The URN of each by its name; parents come first."""
    found: dict[str, str] = {}
    for one in resources:
        above = found[one.parent].split("::")[2] + "$" if one.parent else ""
        found[one.name] = f"urn:pulumi:{stack}::{above}{one.type}::{one.name}"
    return found
