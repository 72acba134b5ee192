"""The rules of the policy pack, as a page."""

import inspect
import sys
from pathlib import Path

_HEAD = """\
# The policy pack

The second lock: `pulumi preview --policy-pack policy` derives its verdicts from the resources that
it is shown, by formulas of its own, and compares them with the plan. All rules are mandatory. One
whose name ends in `-deployed` looks at all resources together; the others refuse a resource at its
registration, so that nothing below it is created, also with `--skip-preview`. An unknown value is a
violation, and so is what the pack cannot read: a flag from a variable, a model that the catalogue
does not know. A program without a Synapse root is judged by the rules about Services and pull
policies alone.

This page is made by `python -m tools.generate` from the pack; do not edit it.

| rule | what it holds |
|---|---|
"""


def policies_page(root: Path) -> str:
    """Return the page; the pack lies in a folder of its own, as Pulumi wants it."""
    sys.path.insert(0, str(root / "policy"))
    try:
        from synapse_policy.pack import POLICIES  # noqa: PLC0415  found only with that path
    finally:
        sys.path.remove(str(root / "policy"))
    rows = (f"| `{one.name}` | {inspect.cleandoc(one.description)} |" for one in POLICIES)
    return _HEAD + "\n".join(row.replace("\n", " ") for row in rows) + "\n"
