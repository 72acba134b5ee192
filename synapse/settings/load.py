"""Reads settings: out of any mapping, or out of a stack file without the Pulumi engine."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from synapse.settings.problems import Problem, SettingsError, explain
from synapse.settings.settings import Settings
from synapse.settings.stack_yaml import StackYamlError, load_stack_yaml

PROJECT = "synapse"
_PREFIX = f"{PROJECT}:"


def parse(raw: Mapping[str, object]) -> Settings:
    """Check a config, keys without the `synapse:` prefix.

    Raises:
        SettingsError: with every problem of the config, not just the first.
    """
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(explain(error, raw, Settings)) from None


def read_stack_file(path: Path) -> Settings:
    """Read a `Pulumi.<stack>.yaml`.

    Raises:
        SettingsError: the file cannot be read, is not YAML, or holds an invalid config.
    """
    config = _document(path).get("config")
    if not isinstance(config, dict):
        raise _unreadable(path, "there is no `config:` section")
    strays = [_stray(key) for key in config if not _is_namespaced(key)]
    try:
        settings = parse(without_prefix(config))
    except SettingsError as error:
        raise SettingsError([*strays, *error.problems]) from None
    if strays:
        raise SettingsError(strays)
    return settings


def without_prefix(config: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of this project, without their `synapse:` prefix."""
    return {
        key.removeprefix(_PREFIX): value
        for key, value in config.items()
        if isinstance(key, str) and key.startswith(_PREFIX)
    }


def _is_namespaced(key: object) -> bool:
    """Whether a key is this project's, or plainly another's (`kubernetes:context`)."""
    namespace, colon, _ = key.partition(":") if isinstance(key, str) else ("", "", "")
    close = difflib.get_close_matches(namespace, [PROJECT], cutoff=0.75)
    return bool(colon) and (namespace == PROJECT or not close)


def _stray(key: object) -> Problem:
    name = str(key).rpartition(":")[2]
    return Problem(str(key), "", f"a key that begins with {_PREFIX}", f"write {_PREFIX}{name}")


def _document(path: Path) -> dict[object, object]:
    try:
        document = load_stack_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not a text in UTF-8") from None
    except (StackYamlError, ValueError) as error:  # a path with a NUL is a ValueError
        raise _unreadable(path, str(error)) from None
    return document if isinstance(document, dict) else {}


def _unreadable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        [Problem(str(path), "", f"a stack file of Pulumi ({why})", "name one by --config FILE")]
    )
