"""XTTS and its licence."""

from typing import Any

import pytest

from tests.policy.changes import Json
from tests.policy.rule_case import UNKNOWN, anybodys, ours, pod, workload

RULE = "xtts-licence"
BY, ON = "synapse/xtts-licence-acknowledged-by", "synapse/xtts-licence-acknowledged-on"
SIGNED = {BY: "Ada Lovelace", ON: "2026-01-31"}
MODEL = "tts_models/multilingual/multi-dataset/xtts_v2"
SERVER: Json = {
    "image": "ghcr.io/idiap/coqui-tts:v0.27.2",
    "command": ["tts-server", "--model_name", MODEL],
}


def speaker(container: Json, annotations: Json | None = None, kind: str = "Deployment") -> Json:
    return workload(kind, pod(container), template={"annotations": annotations or {}})


@pytest.mark.parametrize(
    "container",
    [
        SERVER,
        {"image": "coqui:1", "command": ["sh", "-c", f"tts-server --model_name {MODEL}"]},
        {"image": "ghcr.io/coqui-ai/xtts-streaming-server:1.0"},
        {"image": "speech:1", "command": ["speech.py", "--xtts_device=cuda"]},
        {"image": "tts:1", "env": [{"name": "COQUI_TOS_AGREED", "value": "1"}]},
        {"image": "tts:1", "env": [{"name": "MODEL", "value": "xtts_v2"}]},
        {"image": "tts:1", "env": [{"name": "MODEL", "value": "coqui/XTTS-v2"}]},
        {"image": "tts:1", "args": ["--model=$(M)"], "env": [{"name": "M", "value": "xtts_v2"}]},
    ],
)
def test_xtts_without_a_name_and_a_date_is_refused(container: Json) -> None:
    message = anybodys(RULE, speaker(container))
    assert "runs XTTS" in message
    assert "nobody acknowledged" in message
    assert anybodys(RULE, speaker(container, SIGNED)) == ""


def test_a_server_that_is_told_not_to_run_it_does_not() -> None:
    """As openedai-speech is, where Piper alone speaks."""
    assert anybodys(RULE, speaker({"image": "speech:1", "args": ["--xtts_device=none"]})) == ""


@pytest.mark.parametrize("kind", ["StatefulSet", "Job", "CronJob", "DaemonSet"])
def test_every_kind_counts_downloads_included(kind: str) -> None:
    if kind == "CronJob":
        made = workload(kind, pod(SERVER))
    else:
        made = speaker(SERVER, kind=kind)
        assert anybodys(RULE, speaker(SERVER, SIGNED, kind)) == ""
    assert "nobody acknowledged" in anybodys(RULE, made)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({BY: " "}, "nobody acknowledged"),
        ({ON: ""}, "nobody acknowledged"),
        ({ON: "yes"}, "no date"),
        ({ON: "31.01.2026"}, "no date"),
        ({ON: "9999-01-01"}, "a day that has not come"),
    ],
)
def test_a_signature_has_a_name_and_a_day_that_has_come(change: Json, why: str) -> None:
    assert why in anybodys(RULE, speaker(SERVER, SIGNED | change))


@pytest.mark.parametrize(
    "container",
    [
        {"image": "ghcr.io/idiap/coqui-tts:v0.27.2", "command": ["tts-server"]},
        {"image": "coqui:1", "command": ["tts-server", "--model_name", "tts_models/en/vctk/vits"]},
        {"image": "web:1", "env": [{"name": "TTS_URL", "value": "http://coqui-xtts:8000"}]},
        {"image": "web:1", "args": ["--tts=http://xtts:8000/v1"]},
        {"image": UNKNOWN, "args": [UNKNOWN], "env": [{"name": "A", "value": UNKNOWN}]},
    ],
)
def test_other_voices_and_callers_pass(container: Json) -> None:
    assert anybodys(RULE, speaker(container)) == ""


def test_our_own_stack_up_to_phase_3_has_none_and_one_in_it_is_seen() -> None:
    assert ours(RULE) == ""
    assert "nobody acknowledged" in ours(RULE, objects=(speaker(SERVER),))


def test_the_annotation_of_a_download_tells_as_well() -> None:
    made: Any = workload(
        "Job", pod({"image": "hf:1"}), metadata={"annotations": {"synapse/model": "coqui/XTTS-v2"}}
    )
    assert "its annotation names coqui/XTTS-v2" in anybodys(RULE, made)
