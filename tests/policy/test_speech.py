"""The pack on what the program itself registers at phase 4: both locks agree, in every choice."""

from typing import Any

import pytest
from pulumi_policy import EnforcementLevel
from synapse_policy.pack import POLICIES

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.settings.load import parse, without_prefix
from tests.components.conftest import ACKNOWLEDGED, _config
from tests.components.recorder import Json, record
from tests.policy.judge import Violation, judge_all, rules

PHASE = 4
ADVISORY = {one.name for one in POLICIES if one.enforcement_level is EnforcementLevel.ADVISORY}
TOGETHER: Json = {
    "gpu": {"sharing": "concurrent"},
    "ollama": {"memory_gib": 64, "memory_request_gib": 24},
}
XTTS: Json = {"tts": {"licence_acknowledged": ACKNOWLEDGED}}
SECRETS = {"synapse:gateway_key": "sk-nobodys", "synapse:hf_token": "hf_nobodys"}


def _registered(**overrides: Any) -> tuple[Json, dict[str, tuple[str, Json]]]:
    config = _config(PHASE, overrides)
    plan = make_plan(parse(without_prefix(config)), load_catalogue()).model_dump(mode="json")
    recorded = record(config, SECRETS)
    return plan, {one.name: (one.type, one.inputs) for one in recorded.objects}


def _judged(plan: Json, resources: dict[str, tuple[str, Json]]) -> list[Violation]:
    """What refuses the stack; an advisory rule only wishes."""
    return [one for one in judge_all(plan, resources) if one.rule not in ADVISORY]


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"speech": {"tts": {}}},
        {"speech": {"tts": {"kind": "piper"}}},
        TOGETHER,
        {**TOGETHER, "speech": {**XTTS, "stt": {"device": "gpu"}}},
        {**TOGETHER, "gpu": {"sharing": "concurrent", "device_plugin": "stack"}},
    ],
    ids=[
        "in turn",
        "licence not acknowledged",
        "piper",
        "together",
        "whisper on the GPU too",
        "own plugin",
    ],
)
def test_the_program_s_own_resources_pass(overrides: Json) -> None:
    assert _judged(*_registered(**overrides)) == []


def test_replicas_that_the_swap_left_are_not_judged() -> None:
    plan, resources = _registered()
    resources["engine-deployment"][1]["spec"]["replicas"] = 0
    resources["speech-coqui-tts-deployment"][1]["spec"]["replicas"] = 1
    assert _judged(plan, resources) == []


def test_more_vram_than_the_plan_has_is_refused_whatever_the_replicas() -> None:
    plan, resources = _registered()
    template = resources["speech-coqui-tts-deployment"][1]["spec"]["template"]
    template["metadata"]["annotations"]["synapse/vram-gib"] = "31"
    found = rules(_judged(plan, resources))
    assert {"vram-in-every-state-deployed", "resources-agree"} <= found


def test_speech_files_that_do_not_fit_their_claim_are_refused() -> None:
    plan, resources = _registered()
    (claim,) = (
        made for _, made in resources.values() if made["metadata"]["name"] == "speech-models"
    )
    claim["spec"]["resources"]["requests"]["storage"] = "2Gi"
    assert "disk-deployed" in rules(_judged(plan, resources))
