"""Our own stack at a phase, as our own program registers it for the forge."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from unittest.mock import patch

import yaml

from tests.components.recorder import record
from tests.policy.changes import Json
from tests.policy.resource_sets import Resources, recorded

FORGE = Path(__file__).resolve().parents[2] / "Pulumi.forge.yaml"
_LICENCE = {"by": "Ada Lovelace", "date": "2026-01-31"}
_SECRETS = {
    "synapse:gateway_key": "sk-a-key-that-stands-nowhere-else",
    "synapse:hf_token": "hf_a-value-that-stands-nowhere-else",
}


def forge_config(phase: int = 3) -> Json:
    """Return the forge's config at a phase, the licence of XTTS acknowledged."""
    config: Json = yaml.safe_load(FORGE.read_text(encoding="utf-8"))["config"]
    config["synapse:speech"]["tts"]["licence_acknowledged"] = _LICENCE
    config["synapse:phase"] = phase
    return config


@cache
def good_stack(phase: int = 3) -> Resources:
    """Return all that the program registers for the forge."""
    return recorded(record(forge_config(phase), _SECRETS))


def stack_of(config: Mapping[str, object]) -> Resources:
    """Return what the program would register for a config if its own lock did not hold.

    Raises:
        SettingsError: the config is invalid.
    """
    with patch("synapse.program.refuse_what_does_not_fit"):
        return recorded(record(deepcopy(dict(config)), _SECRETS))
