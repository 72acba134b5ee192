"""What a swap is to do, by the ledger."""

from __future__ import annotations

import pytest

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.settings.settings import Settings
from synapse.swap.change import Target, plan_change
from synapse.swap.errors import SwapError
from tests.swap.plans import licensed


def plan_of(**changes: object) -> Plan:
    return make_plan(Settings.model_validate(licensed(**changes)), load_catalogue())


def test_the_two_ways() -> None:
    plan = plan_of(phase=4)
    speech, chat = (plan_change(plan, target) for target in (Target.SPEECH, Target.CHAT))
    assert (speech.leaves, speech.enters) == (("vllm-inference",), ("coqui-tts",))
    assert (chat.leaves, chat.enters) == (("coqui-tts",), ("vllm-inference",))
    assert {verdict.rule for verdict in speech.verdicts} == {
        "vram-in-every-state",
        "vram-in-every-transition",
        "gpu-count",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phase": 3}, "coqui-tts comes with phase 4"),
        ({"phase": 4, "gpu": {"sharing": "concurrent"}}, "nothing to swap"),
        ({"phase": 4, "speech": {"tts": {"licence_acknowledged": None}}}, "has no coqui-tts"),
        ({"phase": 4, "speech": {"tts": {"vram_gib": 40}}}, "the ledger refuses speech"),
    ],
)
def test_what_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SwapError, match=said):
        plan_change(plan_of(**changes), Target.SPEECH)
