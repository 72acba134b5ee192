"""The pack's rules, for what stands beside them: reports, pages, checks of its config."""

import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from tools.sim_stack import POLICY_PACK, REPOSITORY

if TYPE_CHECKING:
    from synapse_policy.judging import Rule


@cache
def pack_rules() -> Sequence["Rule"]:
    """Return the rules; the pack lies in a folder of its own, as Pulumi wants it."""
    folder = str(REPOSITORY / POLICY_PACK)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from synapse_policy.pack import POLICIES  # noqa: PLC0415  found only with that path

    return POLICIES
