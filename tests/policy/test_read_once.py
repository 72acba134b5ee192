"""Reading a resource once shows the rules what the SDK's own steps would."""

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto.analyzer_pb2 import AnalyzeRequest
from pulumi_policy import policy as sdk
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy
from synapse_policy.read_once import (
    METHODS,
    STEPS,
    deserialize,
    message_to_dict,
    proxied,
    read_once,
)
from synapse_policy.reading import plain

from tests.policy.forge import Json, resources

SERVICER = sdk._PolicyAnalyzerServicer
_SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "s3"}


def _message(props: Json) -> Struct:
    message = Struct()
    message.update(props)
    return message


def _shown(message: Struct) -> Json:
    return proxied(deserialize(message_to_dict(message)))


@pytest.fixture
def fresh_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test changes in the SDK is taken back."""
    for name in STEPS:
        monkeypatch.setattr(sdk, name, getattr(sdk, name))
    for name in METHODS:
        monkeypatch.setattr(SERVICER, name, getattr(SERVICER, name))


@pytest.mark.parametrize("name", resources())
def test_all_that_is_read_is_as_the_sdk_reads_it(name: str) -> None:
    props = resources()[name][1]
    as_sdk = unknown_checking_proxy(deserialize_properties(props))
    assert plain(_shown(_message(props))) == plain(as_sdk)


def test_the_same_message_is_read_once_and_another_one_anew() -> None:
    first, again, other = ({"spec": {"replicas": count}} for count in (1.0, 1.0, 2.0))
    assert _shown(_message(first)) is _shown(_message(again))
    assert plain(_shown(_message(other))) == other


def test_secrets_are_in_place_and_unknown_values_still_raise() -> None:
    shown = _shown(_message({"key": _SECRET, "deep": [{"late": UNKNOWN_STRING_VALUE}]}))
    assert shown["key"] == "s3"
    with pytest.raises(UnknownValueError) as unknown:
        shown["deep"][0]["late"]
    assert unknown.value.message == "string value at .deep.0.late can't be known during preview"


def test_what_marks_secrets_goes_the_sdks_own_way() -> None:
    given = message_to_dict(_message({"key": _SECRET}))
    kept = deserialize(given, True)
    assert kept is not deserialize(given)


@pytest.mark.usefixtures("fresh_sdk")
def test_the_sdk_that_is_installed_takes_these_steps() -> None:
    """Another SDK may have others, and then the pack is slow again."""
    theirs = {name: getattr(SERVICER, name) for name in METHODS}
    read_once()
    assert {name: getattr(sdk, name) for name in STEPS} == STEPS
    for name in METHODS:
        assert getattr(SERVICER, name) is not theirs[name]


@pytest.mark.usefixtures("fresh_sdk")
def test_options_and_provider_are_read_once_of_each_message() -> None:
    first, other = AnalyzeRequest(type="a"), AnalyzeRequest(type="a")
    first.options.protect = True
    first.provider.properties.update({"kubeconfig": "k"})
    read_once()
    shown = object.__new__(SERVICER)
    options = shown._get_resource_options(first)
    assert options.protect
    assert not shown._get_resource_options(other).protect
    assert shown._get_resource_options(first) is options
    provider = shown._get_provider_resource(first)
    assert provider
    assert provider.props["kubeconfig"] == "k"
    assert shown._get_provider_resource(other) is None


@pytest.mark.usefixtures("fresh_sdk")
def test_an_sdk_without_these_steps_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sdk, "deserialize_properties")
    before = vars(sdk)["unknown_checking_proxy"]
    read_once()
    assert vars(sdk)["unknown_checking_proxy"] is before
