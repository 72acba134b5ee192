"""The forge's config, as the tests of settings change it."""

from collections.abc import Mapping
from copy import deepcopy
from typing import cast

from tests.unit.stacks import FILE


def changed(changes: Mapping[str, object]) -> dict[str, object]:
    """The forge's config with other values at dotted places."""
    config: object = deepcopy(FILE)
    for place, value in changes.items():
        *path, last = place.split(".")
        holder = config
        for part in path:
            if isinstance(holder, list):
                holder = holder[int(part)]
            else:
                holder = cast(dict[str, object], holder).setdefault(part, {})
        if isinstance(holder, list):
            holder[int(last) :] = [value, *holder[int(last) + 1 :]]
        else:
            cast(dict[str, object], holder)[last] = value
    return cast(dict[str, object], config)
