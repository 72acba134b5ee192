"""The forge's settings with XTTS's licence acknowledged, and some keys changed."""

from __future__ import annotations

from pathlib import Path

import yaml

FORGE = Path(__file__).parents[2] / "Pulumi.forge.yaml"
LICENCE = {"by": "a test", "date": "2026-11-22"}


def licensed(**changes: object) -> dict[str, object]:
    """The settings by key; a mapping changes only the keys that it names."""
    document = yaml.safe_load(FORGE.read_text(encoding="utf-8"))["config"]
    settings = {
        key.removeprefix("synapse:"): value
        for key, value in document.items()
        if key.startswith("synapse:")
    }
    settings["speech"]["tts"]["licence_acknowledged"] = LICENCE
    return _merged(settings, changes)


def _merged(old: dict[str, object], new: dict[str, object]) -> dict[str, object]:
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = _merged(before, value)
        else:
            merged[key] = value
    return merged
