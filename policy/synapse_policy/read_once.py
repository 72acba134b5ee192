"""A resource is read once, and not anew for every rule.

For each rule by itself the SDK (1.21) turns the message that holds a resource into plain data, that
into a proxy that knows unknown values, and its options and provider into objects. With some fifty
rules that was four fifths of what a preview with the pack cost. Rules only read, so all of them may
be shown the same.
"""

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final, Generic, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto.analyzer_pb2 import RemediateResponse
from pulumi_policy import policy as sdk
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import unknown_checking_proxy

KEPT = 4096
"""Resources: the rules about the whole stack are shown all of them one rule after the other."""

Json = dict[str, Any]
Result = TypeVar("Result")


class _Given(Json):
    """What a message holds."""

    plain: "_Plain | None" = None


class _Plain(Json):
    """The same with secrets and assets in place."""

    proxy: Json | None = None


class _Remembered(Generic[Result]):
    """What was read of the very same message. It is kept, so that no other gets its identity."""

    def __init__(self, read: Callable[[Message], Result]) -> None:
        self._read = read
        self._kept: dict[int, tuple[Message, Result]] = {}

    def __call__(self, message: Message) -> Result:
        found = self._kept.get(id(message))
        if found is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            found = self._kept[id(message)] = (message, self._read(message))
        return found[1]


@lru_cache(maxsize=KEPT)
def _given(serialized: bytes) -> _Given:
    return _Given(MessageToDict(Struct.FromString(serialized)))


# The rules about the whole stack are shown equal messages, but not the same ones.
_given_of = _Remembered(lambda message: _given(message.SerializeToString(deterministic=True)))


def message_to_dict(message: Message) -> Json:
    """Return what a message holds; the same object for an equal message."""
    return _given_of(message) if isinstance(message, Struct) else MessageToDict(message)


def deserialize(given: Json, proxy_secrets: bool = False) -> Json:
    """Put secrets and assets in place."""
    if proxy_secrets or not isinstance(given, _Given):
        return deserialize_properties(given, proxy_secrets)
    if given.plain is None:
        given.plain = _Plain(deserialize_properties(given))
    return given.plain


def proxied(plain: Json) -> Json:
    """Return a view that raises `UnknownValueError` where a value is unknown."""
    if not isinstance(plain, _Plain):
        return unknown_checking_proxy(plain)
    if plain.proxy is None:
        plain.proxy = unknown_checking_proxy(plain)
    return plain.proxy


STEPS: Final = {
    "json_format": SimpleNamespace(MessageToDict=message_to_dict),
    "deserialize_properties": deserialize,
    "unknown_checking_proxy": proxied,
}
"""By the SDK's own names for them."""
METHODS: Final = ("_get_resource_options", "_get_provider_resource")
"""Of the SDK's servicer; each reads one message, and nothing of the servicer."""
REMEDIATE: Final = "Remediate"
"""Of the SDK's servicer; it reads a resource before it looks for a rule that would change one."""


def read_once() -> None:
    """Put these in place of the SDK's own steps; a later SDK without them reads as it does."""
    servicer = getattr(sdk, "_PolicyAnalyzerServicer", None)
    if all(hasattr(sdk, name) for name in STEPS) and all(
        hasattr(servicer, name) for name in (*METHODS, REMEDIATE)
    ):
        for name, step in STEPS.items():
            setattr(sdk, name, step)
        for name in METHODS:
            setattr(servicer, name, _remembering(getattr(servicer, name)))
        setattr(servicer, REMEDIATE, _remediate_nothing)


def _remembering(
    method: Callable[[object, Message], Result],
) -> Callable[[object, Message], Result]:
    remembered = _Remembered(lambda message: method(None, message))
    return lambda _, message: remembered(message)


def _remediate_nothing(_servicer: object, _request: Message, _context: object) -> Message:
    """No rule of the pack changes a resource."""
    return RemediateResponse()
