"""Traefik's match rules, read so far as to tell which paths may pass: what is unclear may."""

import re
from collections.abc import Callable
from typing import NamedTuple

from synapse_policy.reading import UnreadableError

_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>&&|\|\||[!(),])|(?P<name>[A-Za-z]\w*)|`(?P<raw>[^`]*)`|"(?P<text>(?:[^"\\]|\\.)*)")"""
)


class Chance(NamedTuple):
    """Whether a request to a path may match, and whether it may not."""

    may: bool
    may_not: bool


_EITHER = Chance(may=True, may_not=True)
Matcher = Callable[[str], Chance]


def may_pass(match: str, path: str) -> bool:
    """Whether some request to this path matches a rule; host, headers and the like are unknown.

    Raises:
        UnreadableError: the rule is no match rule of Traefik.
    """
    return parse(match)(path).may


def parse(match: str) -> Matcher:
    """Read a match rule of Traefik, v2 or v3."""
    reader = _Reader(match)
    matcher = reader.either()
    if reader.kind:
        raise reader.fault()
    return matcher


class _Reader:
    """Reads one rule: `||` binds least, then `&&`, then `!`."""

    def __init__(self, match: str) -> None:
        self._match = match
        self._at = 0
        self.kind, self._value = "", ""
        self._next()

    def either(self) -> Matcher:
        sides = [self._both()]
        while self._takes("||"):
            sides.append(self._both())

        def matches(path: str) -> Chance:
            found = [side(path) for side in sides]
            return Chance(any(one.may for one in found), all(one.may_not for one in found))

        return matches

    def fault(self) -> UnreadableError:
        """Return the refusal of a rule that cannot be read."""
        return UnreadableError(f"the match rule {self._match!r} cannot be read; write it anew")

    def _both(self) -> Matcher:
        sides = [self._one()]
        while self._takes("&&"):
            sides.append(self._one())

        def matches(path: str) -> Chance:
            found = [side(path) for side in sides]
            return Chance(all(one.may for one in found), any(one.may_not for one in found))

        return matches

    def _one(self) -> Matcher:
        if self._takes("!"):
            inner = self._one()
            return lambda path: Chance(inner(path).may_not, inner(path).may)
        if self._takes("("):
            matcher = self.either()
            self._expect(")")
            return matcher
        if self.kind != "name":
            raise self.fault()
        name = self._value
        self._next()
        self._expect("(")
        values = [self._argument()]
        while self._takes(","):
            values.append(self._argument())
        self._expect(")")
        return self._matcher(name, values)

    def _matcher(self, name: str, values: list[str]) -> Matcher:
        if name == "Path":
            return _any(values, lambda value, path: path == value)
        if name == "PathPrefix":
            return _any(values, lambda value, path: path.startswith(value))
        if name == "PathRegexp":
            try:
                expressions = [re.compile(value) for value in values]
            except re.error:
                return lambda _: _EITHER
            return lambda path: _sure(any(one.search(path) for one in expressions))
        return lambda _: _EITHER

    def _argument(self) -> str:
        if self.kind != "value":
            raise self.fault()
        value = self._value
        self._next()
        return value

    def _takes(self, sign: str) -> bool:
        if self.kind != "sign" or self._value != sign:
            return False
        self._next()
        return True

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self.fault()

    def _next(self) -> None:
        if not self._match[self._at :].strip():
            self.kind, self._value = "", ""
            return
        found = _TOKEN.match(self._match, self._at)
        if found is None:
            raise self.fault()
        self._at = found.end()
        if found["sign"]:
            self.kind, self._value = "sign", found["sign"]
        elif found["name"]:
            self.kind, self._value = "name", found["name"]
        else:
            value = found["raw"]
            self.kind = "value"
            self._value = re.sub(r"\\(.)", r"\1", found["text"]) if value is None else value


def _any(values: list[str], matches: Callable[[str, str], bool]) -> Matcher:
    if any("{" in value for value in values):  # a template of v2
        return lambda _: _EITHER
    return lambda path: _sure(any(matches(value, path) for value in values))


def _sure(matches: bool) -> Chance:
    return Chance(matches, not matches)
