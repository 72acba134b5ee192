"""Careful reading of resource properties: a wrong shape is a reason to refuse, never a traceback.

Properties arrive as proxies that raise `UnknownValueError` when an unknown value is touched, so
every function here touches only what it was asked for.
"""

from collections.abc import Iterator, Mapping, Sequence

from pulumi_policy.proxy import UnknownValueError

Props = Mapping[str, object]


class UnreadableError(Exception):
    """Something that a rule needs is missing or has a shape that it cannot judge."""


def child(props: Props, key: str) -> Props:
    """Return the mapping under `key`; an empty one where there is none."""
    value = props.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UnreadableError(f"{key} is {value!r}; a mapping is needed")
    return value


def children(props: Props, key: str) -> Iterator[Props]:
    """Yield the mappings of the list under `key`."""
    for value in _list(props, key):
        if not isinstance(value, Mapping):
            raise UnreadableError(f"{key} holds {value!r}; a mapping is needed")
        yield value


def texts(props: Props, key: str) -> tuple[str, ...]:
    """Return the list of strings under `key`; an empty one where there is none."""
    return tuple(str(value) for value in _list(props, key))


def known_texts(props: Props, key: str) -> tuple[str, ...]:
    """Return the strings of the list under `key` that are known; for recognising, not judging."""
    return tuple(str(value) for value in _known(props, key))


def known_children(props: Props, key: str) -> Iterator[Props]:
    """Yield the mappings of the list under `key` that are known; for recognising, not judging."""
    for value in _known(props, key):
        if isinstance(value, Mapping):
            yield value


def known_text(props: Props, key: str) -> str | None:
    """Return the string under `key`; None for an unknown one, for recognising, not judging."""
    try:
        return text(props, key)
    except (UnknownValueError, UnreadableError):
        return None


def text(props: Props, key: str) -> str | None:
    """Return the string under `key`, or None."""
    value = props.get(key)
    if value is not None and not isinstance(value, str):
        raise UnreadableError(f"{key} is {value!r}; a string is needed")
    return value


def number(props: Props, key: str) -> float | None:
    """Return the number under `key`, or None. The engine passes every number as a float."""
    value = props.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UnreadableError(f"{key} is {value!r}; a number is needed")
    return value


def plain(value: object) -> object:
    """Return the value as plain dicts and lists; raises if anything within it is unknown."""
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(value[index]) for index in range(len(value))]
    return value


def _known(props: Props, key: str) -> Iterator[object]:
    try:
        value = props.get(key)
    except UnknownValueError:
        return
    if isinstance(value, str) or not isinstance(value, Sequence):
        return
    for index in range(len(value)):
        try:
            yield value[index]
        except UnknownValueError:
            continue


def _list(props: Props, key: str) -> Iterator[object]:
    value = props.get(key)
    if value is None:
        return
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UnreadableError(f"{key} is {value!r}; a list is needed")
    for index in range(len(value)):  # by index: only that is checked for unknown values
        yield value[index]
