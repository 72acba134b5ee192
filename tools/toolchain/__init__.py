"""Gets the real programs: from PATH, from their official releases, or built from Go modules."""

from tools.toolchain.errors import ToolchainError
from tools.toolchain.resolve import Origin, Resolved, ensure, resolve
from tools.toolchain.toolchain import Toolchain
from tools.toolchain.versions import load_versions

__all__ = [
    "Origin",
    "Resolved",
    "Toolchain",
    "ToolchainError",
    "ensure",
    "load_versions",
    "resolve",
]
