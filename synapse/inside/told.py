"""What the plan tells the code inside the proxy: a file of the ConfigMap, and keys of a Secret."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict

ROUTES_FILE_VARIABLE = "SYNAPSE_ROUTES"
LEAVING_FILE_VARIABLE = "SYNAPSE_LEAVING"
KEY_VARIABLES = ("LITELLM_MASTER_KEY", "SYNAPSE_PREVIOUS_KEY")


class BackendVoices(TypedDict):
    """What the server of a route calls its voices: by the names that callers know, and else."""

    default: str
    names: dict[str, str]


@dataclass(frozen=True)
class Told:
    """The routes as far as the code inside needs them.

    Attributes:
        modes: public names of all routes → what each is for.
        engine_fallbacks: routes of the engine → the route that stands in for each.
        voice_fallbacks: routes of a voice that may be away → the route that stands in for each.
        voices: routes that speak → the voices of their servers.
        unknown_models: what becomes of other names.
        default_route: answers other names.
        engine_host: host name of the engine's Service.
        engine_port: port of it.
        engine_hang_seconds: an engine that sends nothing for so long is given up.
        first_token_seconds: longest wait for the first token of a stream of the engine.
        metrics_port: where metrics are served; None: nowhere.
    """

    modes: dict[str, str]
    engine_fallbacks: dict[str, str]
    voice_fallbacks: dict[str, str]
    voices: dict[str, BackendVoices]
    unknown_models: Literal["fallback", "reject"]
    default_route: str
    engine_host: str
    engine_port: int
    engine_hang_seconds: float
    first_token_seconds: float
    metrics_port: int | None


@cache
def told() -> Told:
    """Read the file once."""
    content = json.loads(Path(os.environ[ROUTES_FILE_VARIABLE]).read_text(encoding="utf-8"))
    return Told(**content)


@cache
def accepted_keys() -> tuple[str, ...]:
    """The key, and during a rotation the one before it; none of them is empty."""
    return tuple(key for name in KEY_VARIABLES if (key := os.environ.get(name, "")))


def is_leaving() -> bool:
    """Whether the pod is about to end: its callers are to come back over another connection."""
    return os.access(_leaving_file(), os.F_OK)


@cache
def _leaving_file() -> str:
    return os.environ[LEAVING_FILE_VARIABLE]
