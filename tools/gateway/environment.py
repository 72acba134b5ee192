"""The pinned proxy from PyPI, by hash, in an environment of its own in the per-user cache."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from tools.toolchain.errors import ToolchainError
from tools.toolchain.store import Store, default_cache_dir

LOCK = Path(__file__).parent / "litellm.lock"
_INSTALL_SECONDS = 1200
_TOLD_OF_A_FAILURE = 2000


def locked_version(package: str = "litellm") -> str:
    """The version of a package in the lock file."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", LOCK.read_text(encoding="utf-8"), re.M)
    if found is None:
        raise ToolchainError(f"{LOCK.name} has no {package}; run `make lock`")
    return found.group(1)


def proxy_python(say: Callable[[str], None] = lambda _: None) -> Path:
    """The interpreter that has the proxy; installs it first if it is not there.

    Raises:
        ToolchainError: It cannot be installed.
    """
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    name = f"litellm-{locked_version()}-{digest}"

    def fill(folder: Path) -> None:
        say(f"installing LiteLLM {locked_version()} for the tests, about 750 MB")
        venv.create(folder, with_pip=True, symlinks=True)
        _install(folder / "bin" / "python")

    wait = "waiting for another process that installs LiteLLM"
    folder = Store(default_cache_dir()).add("python", name, fill=fill, waiting=lambda: say(wait))
    return folder / "bin" / "python"


def _install(python: Path) -> None:
    arguments = ["install", "--quiet", "--disable-pip-version-check"]
    command = [str(python), "-m", "pip", *arguments, "--require-hashes", "-r", str(LOCK)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
            env={**os.environ, "PIP_NO_INPUT": "1"},
        )
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"LiteLLM was not installed within {_INSTALL_SECONDS} s") from None
    if done.returncode:
        raise ToolchainError(f"pip could not install LiteLLM:\n{done.stderr[-_TOLD_OF_A_FAILURE:]}")
