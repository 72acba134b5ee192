"""Where in the project's files a violation is to be put right, as far as it can be told."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

_KEY = re.compile(r"\b[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+\b")
_CURE = "; "
Keys = dict[tuple[str, ...], int]


@dataclass(frozen=True)
class Place:
    """A line of a file; the path is relative to the working directory where it lies below it."""

    path: str
    line: int


class Places:
    """The lines of a stack file by their keys."""

    def __init__(self, stack_file: Path | None, project_file: Path) -> None:
        self._file = stack_file
        self._keys = _keys(stack_file, "synapse") if stack_file and stack_file.exists() else {}
        self._else = Place(_shown(project_file), 1)

    def of(self, message: str) -> Place:
        """Return the line of the first key that a message names, its cure before the rest.

        `engine.max_model_len` stands for its section where the file leaves the key to its default.
        """
        named = [
            tuple(found.split("."))
            for part in (message.rpartition(_CURE)[2], message)
            for found in _KEY.findall(part)
        ]
        for keys in (*named, *(one[:-1] for one in named)):
            line = self._keys.get(keys)
            if line is not None and self._file is not None:
                return Place(_shown(self._file), line)
        return self._else


def _keys(stack_file: Path, project: str) -> Keys:
    root = yaml.compose(stack_file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    found: Keys = {}
    for path, line in _walk(root):
        if len(path) > 1 and path[0] == "config":
            found[(path[1].removeprefix(f"{project}:"), *path[2:])] = line
    return found


def _walk(
    node: yaml.Node | None, at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*at, str(key.value))
            yield path, key.start_mark.line + 1
            yield from _walk(value, path)


def _shown(path: Path) -> str:
    absolute = path.absolute()
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else path).as_posix()
