"""Reads settings: out of any mapping, or out of a stack file without the Pulumi engine."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import yaml
from pydantic import ValidationError

from synapse.settings.problems import Location, Problem, SettingsError, explain, locations
from synapse.settings.settings import Settings

_PROJECT = "synapse"


def parse(raw: Mapping[str, object]) -> Settings:
    """Check a config, keys without the `synapse:` prefix.

    Raises:
        SettingsError: with every problem of the config, not just the first.
    """
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_all_problems(dict(raw), error)) from None


def _all_problems(raw: dict[str, object], error: ValidationError) -> list[Problem]:
    """Rules that span keys run only on valid keys: drop the refused ones and look again."""
    problems = explain(error, Settings)
    seen = set(problems)
    rest = deepcopy(raw)
    while _drop(rest, locations(error)):
        try:
            Settings.model_validate(rest)
        except ValidationError as further:
            error = further
            # What is missing now is missing because it was dropped.
            new = [
                problem
                for problem, details in zip(explain(error, Settings), error.errors(), strict=True)
                if details["type"] != "missing" and problem not in seen
            ]
            problems += new
            seen |= set(new)
        else:
            break
    return problems


def _drop(raw: dict[str, object], refused: list[Location]) -> bool:
    """Remove the refused leaves; later list items first, so that positions stay true."""
    dropped = False
    for location in sorted(refused, key=str, reverse=True):
        holder: object = raw
        for part in location[:-1]:
            holder = _child(holder, part)
        dropped = _remove(holder, location[-1:]) or dropped
    return dropped


def _child(holder: object, part: int | str) -> object:
    if isinstance(holder, dict):
        return holder.get(part)
    if isinstance(holder, list) and isinstance(part, int) and part < len(holder):
        return holder[part]
    return None


def _remove(holder: object, leaf: Location) -> bool:
    for part in leaf:
        if isinstance(holder, dict) and part in holder:
            del holder[part]
            return True
        if isinstance(holder, list) and isinstance(part, int) and part < len(holder):
            del holder[part]
            return True
    return False


def read_stack_file(path: Path) -> Settings:
    """Read a `Pulumi.<stack>.yaml`.

    Raises:
        SettingsError: the file cannot be read, is not YAML, or holds an invalid config.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  safe
    except OSError as error:
        raise _unreadable(path, error.strerror or "cannot be read") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _unreadable(path, " ".join(str(error).split())) from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise _unreadable(path, "there is no `config:` section")
    return parse(without_prefix(config))


def without_prefix(config: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of this project, without their `synapse:` prefix."""
    prefix = f"{_PROJECT}:"
    return {
        key.removeprefix(prefix): value
        for key, value in config.items()
        if str(key).startswith(prefix)
    }


def _unreadable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        [Problem("*", str(path), f"a stack file of Pulumi ({why})", "name one by --config FILE")]
    )


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
