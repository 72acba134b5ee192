"""The program of a config, recorded; and the plan of the same config."""

import functools
import json
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.settings.load import parse, without_prefix
from tests.components.recorder import Json, Recorded, record

FORGE = Path(__file__).parents[2] / "Pulumi.forge.yaml"
GATEWAY_KEY = "sk-a-key-that-stands-nowhere-else"
HF_TOKEN = "hf_a-value-that-stands-nowhere-else"  # noqa: S105  nobody's


ACKNOWLEDGED = {"by": "the operator", "date": "2026-11-22"}


class Record(Protocol):
    """Records the program of the forge's config, with overrides `section={"key": value}`.

    `preview` runs it as `pulumi preview` does, `check_cluster` lets it look at the cluster first.
    A secret that is None is not set.
    """

    def __call__(
        self,
        *,
        phase: int = 4,
        preview: bool = False,
        check_cluster: bool = False,
        gateway_key: str | None = GATEWAY_KEY,
        hf_token: str | None = HF_TOKEN,
        **overrides: Any,
    ) -> Recorded: ...


class Planner(Protocol):
    """Plans the same config as `Record`."""

    def __call__(self, *, phase: int = 4, **overrides: Any) -> Plan: ...


@pytest.fixture
def registered() -> Record:
    """Runs the program for a config and returns what it registered."""

    def run(
        *,
        phase: int = 4,
        preview: bool = False,
        check_cluster: bool = False,
        gateway_key: str | None = GATEWAY_KEY,
        hf_token: str | None = HF_TOKEN,
        **overrides: Any,
    ) -> Recorded:
        secrets = {"synapse:gateway_key": gateway_key, "synapse:hf_token": hf_token}
        given = {key: value for key, value in secrets.items() if value is not None}
        return _recorded(json.dumps([_config(phase, overrides), given]), preview, check_cluster)

    return run


@pytest.fixture
def planned() -> Planner:
    """Returns the plan of a config."""

    def plan(*, phase: int = 4, **overrides: Any) -> Plan:
        return make_plan(parse(without_prefix(_config(phase, overrides))), load_catalogue())

    return plan


def _config(phase: int, overrides: Json) -> Json:
    """The forge's config, the licence of XTTS acknowledged.

    A section is merged with its override, a value is replaced by it.
    """
    config: Json = yaml.safe_load(FORGE.read_text(encoding="utf-8"))["config"]
    config["synapse:speech"]["tts"]["licence_acknowledged"] = ACKNOWLEDGED
    config["synapse:phase"] = phase
    for section, wanted in overrides.items():
        key = f"synapse:{section}"
        before = config.get(key)
        merged = isinstance(before, dict) and isinstance(wanted, dict)
        config[key] = before | wanted if merged else wanted
    return config


@functools.cache
def _recorded(config_and_secrets: str, preview: bool, check_cluster: bool) -> Recorded:
    """Plain data, so tests with the same config may share one run."""
    config, secrets = json.loads(config_and_secrets)
    return record(config, secrets, preview=preview, check_cluster=check_cluster)
