"""The picture of a recorded swap."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from synapse.swap.timeline import Outcome, Step, StepRecord, Timeline
from tools.generate.swap_picture import swap_picture

SVG = "{http://www.w3.org/2000/svg}"


def recorded(folder: Path, outcome: Outcome, took: float) -> Path:
    steps = (Step.LEASE, Step.GONE, Step.MEMORY, Step.READY)
    timeline = Timeline(
        source="chat",
        target="speech",
        began_at=datetime(2026, 11, 22, tzinfo=UTC),
        simulated=True,
        outcome=outcome,
        steps=tuple(
            StepRecord(
                step=step,
                what="a <b> & c",
                began_seconds=number * took,
                took_seconds=took,
                ended="done" if outcome == "swapped" or step is not Step.READY else "failed",
            )
            for number, step in enumerate(steps)
        ),
    )
    path = folder / "swap.json"
    path.write_text(timeline.model_dump_json(), encoding="utf-8")
    return path


@pytest.mark.parametrize("took", [0.0, 0.001, 0.2, 47.0, 3600.0])
@pytest.mark.parametrize("outcome", ["swapped", "went back"])
def test_it_is_a_picture_whatever_the_times_are(
    tmp_path: Path, outcome: Outcome, took: float
) -> None:
    drawn = ElementTree.fromstring(swap_picture(recorded(tmp_path, outcome, took)))  # noqa: S314  our own
    texts = [element.text or "" for element in drawn.iter(f"{SVG}text")]
    assert f"chat → speech: {outcome}" in texts
    assert len([text for text in texts if "a <b> & c" in text]) == 4
    assert 1 <= len([text for text in texts if text.endswith(" s") and "." not in text]) <= 12
    bars = [float(one.attrib["width"]) for one in drawn.iter(f"{SVG}rect")]
    assert len(bars) == 1 + 4 + (2 if outcome == "swapped" else 0)
    assert all(0 < width <= 900 for width in bars)
