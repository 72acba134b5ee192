"""Reads settings and secrets out of the running Pulumi program: the only user of its config."""

import json
from dataclasses import dataclass
from typing import cast

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from synapse.settings.load import PROJECT, parse, without_prefix
from synapse.settings.settings import Settings


@dataclass(frozen=True)
class StackConfig:
    """The settings, and the secrets that never become part of them."""

    settings: Settings
    hf_token: pulumi.Output[str] | None
    gateway_key: pulumi.Output[str] | None
    gateway_previous_key: pulumi.Output[str] | None


def read() -> StackConfig:
    """Read the stack's config as the engine hands it over.

    Raises:
        SettingsError: the config is invalid.
    """
    raw = without_prefix({**get_config_env(), **CONFIG.get()})
    config = pulumi.Config(PROJECT)
    settings = parse({key: _value(key, value) for key, value in raw.items()})

    def secret(key: str) -> pulumi.Output[str] | None:
        return config.get_secret(key) if getattr(settings, key) else None

    return StackConfig(
        settings=settings,
        hf_token=secret("hf_token"),
        gateway_key=secret("gateway_key"),
        gateway_previous_key=secret("gateway_previous_key"),
    )


def _value(key: str, text: object) -> object:
    """The engine hands over text: sections as JSON, and of a secret only that it is one."""
    if is_config_secret(f"{PROJECT}:{key}"):
        return {"secure": ""}
    if not isinstance(text, str) or not text.startswith(("{", "[")):
        return text
    try:
        return cast(object, json.loads(text))
    except ValueError:
        return text
