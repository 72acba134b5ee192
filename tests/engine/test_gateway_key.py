"""Without a key of the operator's the gateway gets one, which stays until it is told to change."""

from __future__ import annotations

import base64

from tests.engine.stack_case import StackCase


def test_a_key_is_generated_kept_and_changed(case: StackCase) -> None:
    case.configure(3)
    case.edit_config(lambda config: config.pop("synapse:gateway_key"))
    case.up().succeeded()
    first = _keys(case)
    assert set(first) == {"key"}
    assert first["key"].startswith("sk-")
    assert first["key"] not in case.pulumi("stack", "export")

    case.up("--expect-no-changes").succeeded()

    def change_key(config: dict[str, object]) -> None:
        config["synapse:gateway"] = {"host": "synapse.localhost", "key_version": 2}

    case.edit_config(change_key)
    case.up().succeeded()
    second = _keys(case)
    assert second["previous"] == first["key"]
    assert second["key"] not in first.values()


def _keys(case: StackCase) -> dict[str, str]:
    (secret,) = (
        one
        for one in case.get("secrets")["items"]
        if one["metadata"]["name"] == "litellm-master-key"
    )
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
