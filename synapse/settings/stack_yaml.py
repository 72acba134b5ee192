"""YAML as a stack file may hold it: read safely, each key once, nested within reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml

# libyaml's parser where PyYAML has it: ten times faster, the same result.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# PyYAML recurses in C for each level and crashes the process some thousands deep.
_DEEPEST = 50


class _Mark(Protocol):
    line: int
    column: int


class StackYamlError(Exception):
    """The text is no YAML that a stack file may hold. Says where and why, never repeats a line."""


@dataclass
class _Level:
    """A mapping or a list that is open at this point of the text."""

    is_mapping: bool
    keys: set[str] = field(default_factory=set)
    key_comes_next: bool = True


def load_stack_yaml(text: str) -> object:
    """Read one document.

    Raises:
        StackYamlError: not YAML, a key twice in one mapping, or nested too deeply.
    """
    try:
        for mark, why in _offences(text):
            raise StackYamlError(f"{_at(mark)}{why}")
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  both loaders are the safe ones
    except yaml.MarkedYAMLError as error:
        why = error.problem or error.context or "this is not YAML"
        raise StackYamlError(f"{_at(error.problem_mark or error.context_mark)}{why}") from None
    except yaml.YAMLError:
        raise StackYamlError("it is not a text of YAML") from None
    except (ValueError, OverflowError):
        raise StackYamlError("it holds an impossible value, such as the date 2026-13-45") from None


def _offences(text: str) -> Iterator[tuple[_Mark | None, str]]:
    """What PyYAML takes in silence, though the engine refuses it or Python would crash."""
    open_levels: list[_Level] = []
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.NodeEvent):
            level = open_levels[-1] if open_levels else None
            if level and level.is_mapping:
                name = event.value if isinstance(event, yaml.ScalarEvent) else None
                if level.key_comes_next and name is not None:
                    if name in level.keys:
                        yield event.start_mark, f"the key `{name}` stands here for a second time"
                    level.keys.add(name)
                level.key_comes_next = not level.key_comes_next
        if isinstance(event, yaml.CollectionStartEvent):
            open_levels.append(_Level(isinstance(event, yaml.MappingStartEvent)))
            if len(open_levels) > _DEEPEST:
                yield event.start_mark, f"it is nested more than {_DEEPEST} levels deep"
        elif isinstance(event, yaml.CollectionEndEvent):
            open_levels.pop()


def _at(mark: _Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
