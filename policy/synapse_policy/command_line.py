"""The flags of an engine as its container states them, in `command` or in `args`."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from synapse_policy.reading import UnreadableError

_READ = (
    "--model",
    "--model-path",
    "--gpu-memory-utilization",
    "--mem-fraction-static",
    "--max-model-len",
    "--context-length",
    "--max-num-seqs",
    "--max-running-requests",
    "--max-num-batched-tokens",
    "--chunked-prefill-size",
    "--kv-cache-dtype",
    "--kv-cache-memory-bytes",
    "--kv-cache-memory",
    "--tensor-parallel-size",
    "--tp-size",
    "--enforce-eager",
    "--disable-cuda-graph",
    "--config",
)
_SHORT = {"-tp": "--tensor-parallel-size", "--tp": "--tp-size"}
_SHORTEST_ABBREVIATION = len("--gpu-m")
_REFERENCE = re.compile(r"\$\((\w+)\)")
_THOUSANDS = {"k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}
_TOKENS = re.compile(r"(\d+(?:\.\d+)?)([kmgKMG]?)")


class CommandLine:
    """The flags of one container, by their full names; of a repeated flag the last one holds."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str | None]) -> None:
        self._words = tuple(_split(_expanded(word, environment) for word in words))
        self._flags = dict(_flags(self._words))

    def has(self, *names: str) -> bool:
        """Whether one of these flags is set."""
        return any(name in self._flags for name in names)

    def value(self, *names: str) -> str | None:
        """Return the value of the first of these flags that is set."""
        return next((self._flags[name] for name in names if name in self._flags), None)

    def fraction(self, name: str) -> float | None:
        """Return a part of the GPU's memory, above 0 and at most 1."""
        value = self.value(name)
        if value is None:
            return None
        try:
            fraction = float(value)
        except ValueError:
            fraction = 0.0
        if not 0 < fraction <= 1:
            raise UnreadableError(f"{name} is {value!r}; write a number above 0 and at most 1")
        return fraction

    def count(self, *names: str) -> int | None:
        """Return a whole number; "8k" is 8000 and "8K" is 8192, as vLLM reads them."""
        value = self.value(*names)
        if value is None:
            return None
        found = _TOKENS.fullmatch(value)
        if found is None:
            raise UnreadableError(f"{names[0]} is {value!r}; write a positive whole number")
        digits, unit = found.groups()
        return int(float(digits) * _THOUSANDS.get(unit, 1))

    @property
    def served_model(self) -> str | None:
        """The positional model of `vllm serve MODEL`."""
        for before, word in zip(self._words, self._words[1:], strict=False):
            if before == "serve" and not word.startswith("-"):
                return word
        return None

    def names(self, program: str) -> bool:
        """Whether it starts this program: `vllm`, `/opt/bin/vllm`, `-m vllm.entrypoints…`.

        A word that merely holds the name, such as a Service's address, does not count.
        """
        return any(
            word == program
            or word.startswith(f"{program}.")
            or (word.startswith("/") and _is_script(word.rpartition("/")[2], program))
            for word in self._words
        )

    def runs(self, program: str, command: str) -> bool:
        """Whether it says `program command`, such as `ollama serve`."""
        pairs = zip(self._words, self._words[1:], strict=False)
        return any(one.rpartition("/")[2] == program and other == command for one, other in pairs)

    def values(self, name: str) -> tuple[str, ...]:
        """Return all words behind every occurrence of a flag that takes several values."""
        found: list[str] = []
        taking = False
        for word in self._words:
            flag, equals, value = word.partition("=")
            if word.startswith("-"):
                taking = _full_name(flag) == name
                found += [value] if taking and equals else []
            elif taking:
                found.append(word)
        return tuple(found)

    @property
    def words(self) -> tuple[str, ...]:
        """All words, a shell's one string taken apart."""
        return self._words


def _is_script(file: str, program: str) -> bool:
    name, _, kind = file.partition(".")
    return program in name and kind in ("", "sh", "py")


def _expanded(word: str, environment: Mapping[str, str | None]) -> str:
    """Replace $(NAME) by its value, as the kubelet does."""

    def value(found: re.Match[str]) -> str:
        plain = environment.get(found[1])
        return found[0] if plain is None else plain

    return _REFERENCE.sub(value, word)


def _split(words: Iterator[str]) -> Iterator[str]:
    """Take a shell's one-string command apart."""
    for word in words:
        if re.search(r"\s", word.strip()) and ("--" in word or "serve" in word):
            try:
                yield from shlex.split(word, comments=True)
            except ValueError as problem:
                raise UnreadableError(f"the command {word!r} cannot be read: {problem}") from None
        else:
            yield word


def _flags(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not name.startswith("-"):
            continue
        following = words[index + 1] if index + 1 < len(words) else ""
        yield _full_name(name), value if equals else following


def _full_name(name: str) -> str:
    """Resolve underscores, short forms and the abbreviations that argparse accepts."""
    dashed = _SHORT.get(name, name.replace("_", "-"))
    if dashed in _READ or len(dashed) < _SHORTEST_ABBREVIATION:
        return dashed
    meant = [flag for flag in _READ if flag.startswith(dashed)]
    return meant[0] if len(meant) == 1 else dashed
