"""Runs the whole Pulumi program without an engine, and records what it registers.

The recorder stands where the engine stands: it sees each registration as the engine would, with
its parent and options. Every run has a context, an event loop and a recorder of its own, so no
test can see another one's resources. Assertions are made afterwards, on plain inputs.
"""

import asyncio
import contextvars
import json
import runpy
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.mocks import MockMonitor, Mocks
from pulumi.runtime.proto import engine_pb2, resource_pb2
from pulumi.runtime.settings import Settings, configure
from pulumi.runtime.stack import run_in_stack

PROGRAM = Path(__file__).parents[2] / "__main__.py"
PROJECT, STACK = "synapse", "unit"
ROOT = "pulumi:pulumi:Stack"

# How the engine's protocol marks a secret, and writes a value that is not known yet.
_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Json = dict[str, Any]


@dataclass(frozen=True)
class Hidden:
    """A value that the engine is told to encrypt."""

    value: Any


class _Unknown:
    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN = _Unknown()
"""A value that is known only after an update."""


@dataclass(frozen=True)
class Registered:
    """One registration, as the engine would see it."""

    type: str
    name: str
    urn: str
    parent: str
    inputs: Json
    provider: str
    protected: bool
    retained_on_delete: bool
    created_within: str
    updated_within: str
    depends_on: tuple[str, ...]
    aliases: tuple[str, ...]
    """Other names that the program gives; a provider's older versions of a type are none."""
    ignored_changes: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The last part of the type: a Kubernetes kind, or the class of a component."""
        return self.type.rpartition(":")[2]

    @property
    def is_kubernetes(self) -> bool:
        """Whether it is an object of the cluster."""
        return self.type.startswith("kubernetes:")

    @property
    def object_name(self) -> str:
        """The object's own name in the cluster."""
        return str(self.inputs["metadata"]["name"])

    @property
    def labels(self) -> dict[str, str]:
        """The object's labels."""
        labels: dict[str, str] = self.inputs["metadata"].get("labels", {})
        return labels

    @property
    def annotations(self) -> dict[str, str]:
        """The object's annotations."""
        annotations: dict[str, str] = self.inputs["metadata"].get("annotations", {})
        return annotations

    @property
    def spec(self) -> Json:
        """The object's spec."""
        spec: Json = self.inputs["spec"]
        return spec


@dataclass(frozen=True)
class Recorded:
    """Everything that one run of the program registered, exported and logged."""

    resources: tuple[Registered, ...]
    outputs: Json
    log: tuple[str, ...]

    def of_kind(self, kind: str) -> list[Registered]:
        """All resources of a kind."""
        return [one for one in self.resources if one.kind == kind]

    def object(self, kind: str, name: str) -> Registered:
        """The one Kubernetes object with this kind and name."""
        found = [one for one in self.of_kind(kind) if one.object_name == name]
        assert len(found) == 1, f"{kind} {name}: {len(found)} registered"
        return found[0]

    @property
    def objects(self) -> list[Registered]:
        """All objects of the cluster; the provider is none."""
        return [one for one in self.resources if one.is_kubernetes]

    def parent_of(self, resource: Registered) -> Registered | None:
        """The resource's parent, or None under the stack itself."""
        return next((one for one in self.resources if one.urn == resource.parent), None)

    def ancestry(self, resource: Registered) -> Iterator[Registered]:
        """Parent, grandparent and so on."""
        parent = self.parent_of(resource)
        while parent is not None:
            yield parent
            parent = self.parent_of(parent)


COMMAND_SAID = "what-a-command-said"


class _NothingToAsk(Mocks):
    """The program calls no function of a provider, and reads nothing."""

    def call(self, args: Any) -> Any:
        raise AssertionError(f"the program called {args.token}")

    def new_resource(self, args: Any) -> Any:
        raise AssertionError(f"the program read {args.typ} {args.name}")


class _Recorder(MockMonitor):
    """Takes the engine's place for registrations."""

    def __init__(self, *, preview: bool) -> None:
        super().__init__(_NothingToAsk())
        self.preview = preview
        self.registered: list[Registered] = []
        self.outputs: Json = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type != ROOT:
            self.registered.append(_registered(urn, request))
        # A preview knows nothing that a provider computes; here an update returns the inputs.
        known = struct_pb2.Struct() if self.preview else request.object
        made = request.custom and not self.preview
        if made and request.type == "command:local:Command":
            known.update({"stdout": COMMAND_SAID})
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=f"{request.name}-id" if made else "", object=known
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if f"::{ROOT}::" in request.urn:
            self.outputs = _plain(json_format.MessageToDict(request.outputs))
        return empty_pb2.Empty()


class _Log:
    """Takes the engine's place for what the program says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def Log(self, request: Any) -> Any:  # noqa: N802
        if request.severity != engine_pb2.DEBUG:
            self.lines.append(request.message)
        return empty_pb2.Empty()


def _registered(urn: str, request: Any) -> Registered:
    return Registered(
        type=request.type,
        name=request.name,
        urn=urn,
        parent=request.parent,
        inputs=_plain(json_format.MessageToDict(request.object)),
        provider=request.provider,
        protected=request.protect,
        retained_on_delete=request.retainOnDelete,
        created_within=request.customTimeouts.create,
        updated_within=request.customTimeouts.update,
        depends_on=tuple(request.dependencies),
        aliases=(*request.aliasURNs, *map(_alias, filter(_is_renaming, request.aliases))),
        ignored_changes=tuple(request.ignoreChanges),
    )


def _is_renaming(alias: Any) -> bool:
    """Whether it is more than another API version of the same object."""
    spec = alias.spec
    return bool(alias.urn or spec.name or spec.parentUrn or spec.noParent or spec.project)


def _alias(alias: Any) -> str:
    return str(alias).strip()


def _plain(value: Any) -> Any:
    """The protocol's value as Python's: secrets are `Hidden`, whole numbers are integers."""
    match value:
        case dict() if _SIGNATURE in value:
            assert value[_SIGNATURE] == _SECRET, f"a value of another signature: {value}"
            return Hidden(_plain(value["value"]))
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case float() if value.is_integer():
            return int(value)
        case str() if value == _UNKNOWN_TEXT:
            return UNKNOWN
        case _:
            return value


def record(
    config: Mapping[str, object],
    secrets: Mapping[str, str],
    *,
    preview: bool = False,
    check_cluster: bool = False,
) -> Recorded:
    """Run the program for a config, keys with their `synapse:` prefix.

    Args:
        config: without the secrets.
        secrets: values that the engine marks as secret.
        preview: run as `pulumi preview` does.
        check_cluster: let the program look at the cluster first; here there is none to look at.

    Raises:
        pulumi.RunError: the program refused.
    """
    unlooked_at = patch("synapse.program.refuse_an_unfit_cluster")
    with nullcontext() if check_cluster else unlooked_at:
        return contextvars.Context().run(_run, dict(config), dict(secrets), preview)


def _run(config: Json, secrets: dict[str, str], preview: bool) -> Recorded:
    recorder, log = _Recorder(preview=preview), _Log()
    configure(
        Settings(
            project=PROJECT, stack=STACK, monitor=recorder, engine=log, dry_run=preview, parallel=1
        )
    )
    pulumi.runtime.set_all_config(
        {key: _as_text(value) for key, value in config.items()} | secrets, list(secrets)
    )
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run_in_stack(_program))
    except pulumi.RunError:
        assert not recorder.registered, "the program refused after it had registered something"
        raise
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return Recorded(tuple(recorder.registered), recorder.outputs, tuple(log.lines))


def _program() -> None:
    runpy.run_path(str(PROGRAM))


def _as_text(value: object) -> str:
    """A config value as the engine hands it over."""
    return value if isinstance(value, str) else json.dumps(value)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value below this one, with its path; what is `Hidden` is not looked into."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from leaves(one, f"{path}[{index}]")
    else:
        yield path, value
