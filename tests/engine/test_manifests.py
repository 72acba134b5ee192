"""Rendered manifests: whole, valid for three minor versions of Kubernetes, and without a secret."""

from __future__ import annotations

import kubernetes_validate
import pytest

from synapse.plan.phases import GATEWAY, HIGHEST_BUILT, PHASES
from tests.engine.conftest import Manifests
from tests.engine.stack_case import Json

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

# The oldest that the forge's prerequisites admit, the simulated forge's, and the newest there is.
MINOR_VERSIONS = ("1.26", "1.35", "1.37")
TRAEFIK = "traefik.io/"
FORGE, SIM = "Pulumi.forge.yaml", "Pulumi.sim.yaml"
STACK_FILES = pytest.mark.parametrize("stack_file", [FORGE, SIM])
BUILT = [phase.number for phase in PHASES if phase.built]


@pytest.mark.parametrize(
    ("stack_file", "phase"), [*((FORGE, phase) for phase in BUILT), (SIM, HIGHEST_BUILT)]
)
@pytest.mark.parametrize("version", MINOR_VERSIONS)
def test_manifests_are_valid(
    manifests: Manifests, stack_file: str, phase: int, version: str
) -> None:
    rendered = manifests(stack_file, phase)
    checked = [one for one in rendered if not one["apiVersion"].startswith(TRAEFIK)]
    for manifest in checked:
        kubernetes_validate.validate(manifest, version, strict=True)
    kinds = {manifest["kind"] for manifest in checked}
    assert {"Deployment", "Job", "NetworkPolicy", "PersistentVolumeClaim"} <= kinds
    assert ("CronJob" in kinds) is (phase >= GATEWAY)


def test_validation_finds_a_wrong_field(manifests: Manifests) -> None:
    """Else the passes above could be of a check that lets everything through."""
    deployment = next(one for one in manifests("Pulumi.sim.yaml") if one["kind"] == "Deployment")
    wrong: Json = {**deployment, "spec": {**deployment["spec"], "replicaz": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replicaz"):
        kubernetes_validate.validate(wrong, MINOR_VERSIONS[0], strict=True)


@STACK_FILES
def test_manifests_are_whole_and_without_secrets(manifests: Manifests, stack_file: str) -> None:
    names = {f"{one['kind']}/{one['metadata']['name']}" for one in manifests(stack_file)}
    assert {
        "Namespace/llm-infra",
        "PersistentVolumeClaim/ollama-models",
        "Deployment/ollama",
        "Deployment/vllm-inference",
        "Deployment/litellm-proxy",
        "CronJob/litellm-restart",
        "IngressRoute/litellm-proxy",
        "Deployment/speaches",
        "Job/speech-pull",
    } <= names
    # Only the simulated forge's operator has nobody's licence to keep.
    assert ("Deployment/coqui-tts" in names) is (stack_file == "Pulumi.sim.yaml")
    assert not [name for name in names if name.startswith("Secret/")]
