"""Secrets reach the engine as secrets, and nothing else that anybody can read."""

import base64
from pathlib import Path

import pytest

from tests.components.conftest import GATEWAY_KEY, HF_TOKEN, Record
from tests.components.pods import pod
from tests.components.recorder import Hidden, leaves

VALUES = (GATEWAY_KEY, HF_TOKEN)
FORMS = [form for one in VALUES for form in (one, base64.b64encode(one.encode()).decode())]
RENDER = {"kind": "render", "directory": "rendered"}


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_no_secret_stands_in_any_input_in_the_clear(registered: Record, preview: bool) -> None:
    for one in registered(preview=preview).resources:
        for path, value in leaves(one.inputs):
            if not isinstance(value, Hidden):
                assert not any(form in str(value) for form in FORMS), f"{one.urn}{path}"


def test_the_search_would_find_one(registered: Record) -> None:
    """The values are there, behind the mark of a secret: the search is not blind to them."""
    hidden = [
        value.value
        for one in registered().resources
        for _, value in leaves(one.inputs)
        if isinstance(value, Hidden)
    ]
    assert sorted(next(iter(one.values())) for one in hidden) == sorted(VALUES)


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_no_secret_is_exported_or_logged(registered: Record, preview: bool) -> None:
    recorded = registered(preview=preview)
    said = f"{recorded.outputs} {recorded.log}"
    assert not any(form in said for form in FORMS)


def test_only_secret_objects_hold_secrets(registered: Record) -> None:
    holders = {
        one.type
        for one in registered().resources
        if any(isinstance(value, Hidden) for _, value in leaves(one.inputs))
    }
    assert holders == {"kubernetes:core/v1:Secret"}


def test_no_name_follows_a_secrets_value(registered: Record) -> None:
    one, other = registered(), registered(gateway_key="sk-another-key-altogether")
    names = [{each.urn: each.object_name for each in run.objects} for run in (one, other)]
    assert names[0] == names[1]


def test_the_phases_below_need_no_key(registered: Record) -> None:
    assert registered(phase=2, gateway_key=None).of_kind("Deployment")


def test_rendered_manifests_hold_no_secret_and_refer_to_those_that_the_operator_brings(
    registered: Record,
) -> None:
    recorded = registered(target=RENDER)
    assert recorded.of_kind("Secret") == []
    assert pod(recorded, "litellm-proxy").secret_variables == {
        "LITELLM_MASTER_KEY": ("litellm-master-key", "key"),
        "SYNAPSE_PREVIOUS_KEY": ("litellm-master-key", "previous"),
    }
    (provider,) = recorded.of_kind("kubernetes")
    assert provider.inputs["renderYamlToDirectory"] == "rendered"


def test_rendering_needs_no_key(registered: Record) -> None:
    assert registered(target=RENDER, gateway_key=None, hf_token=None).of_kind("Deployment")


def test_rendered_is_what_would_be_applied(registered: Record) -> None:
    applied, written = registered(), registered(target=RENDER)
    assert {one.urn: one.inputs for one in written.objects} == {
        one.urn: one.inputs for one in applied.objects if one.kind != "Secret"
    }


def test_sealed_manifests_hold_what_only_the_clusters_controller_can_read(
    registered: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for kubeseal, which encrypts: this one says what it was given, but the value."""
    kubeseal = tmp_path / "kubeseal"
    kubeseal.write_text('#!/bin/sh\nvalue=$(cat)\necho "sealed ${#value} characters: $*"\n')
    kubeseal.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    certificate = tmp_path / "certificate.pem"
    target = RENDER | {"secrets": "sealed", "sealing_certificate": str(certificate)}
    recorded = registered(target=target)
    assert recorded.of_kind("Secret") == []
    sealed = recorded.object("SealedSecret", "litellm-master-key")
    assert sealed.spec["encryptedData"] == {
        "key": f"sealed {len(GATEWAY_KEY)} characters: --raw --from-file=/dev/stdin --scope=strict "
        f"--cert={certificate} --name=litellm-master-key --namespace=llm-infra"
    }
    assert recorded.object("SealedSecret", "huggingface-token").spec["encryptedData"].keys() == {
        "token"
    }
    for one in recorded.resources:
        for path, value in leaves(one.inputs):
            assert not any(form in str(value) for form in FORMS), f"{one.urn}{path}"
