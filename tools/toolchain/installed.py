"""Programs that the machine has already: on PATH, at a version that will do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from tools.toolchain.versions import Program

ANSWER_SECONDS = 10

_VERSION = re.compile(r"v?(\d+\.\d+\.\d+[-+.\w]*)")


def find_installed(program: Program, cache: Path) -> Path | None:
    """The program on PATH, when it says a version that is accepted.

    What lies in our own cache does not count: PATH may be that of an earlier toolchain.
    """
    if program.accept is None:
        return None
    folders = os.environ.get("PATH", "").split(os.pathsep)
    foreign = [folder for folder in folders if not Path(folder).is_relative_to(cache)]
    found = shutil.which(program.name, path=os.pathsep.join(foreign))
    if found is None:
        return None
    version = _ask_version(Path(found), program.version_command)
    if version is None or version not in SpecifierSet(program.accept):
        return None
    return Path(found)


def find_plugin(program: Program, cache: Path) -> Path | None:
    """The resource plugin that `pulumi plugin install` has put below the user's Pulumi home."""
    pulumi_home = Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser()
    if pulumi_home.is_relative_to(cache):
        pulumi_home = Path("~/.pulumi").expanduser()
    folder = pulumi_home / "plugins" / f"resource-{program.plugin}-v{program.version}"
    binary = folder / program.name
    if binary.is_file() and not folder.with_name(folder.name + ".partial").exists():
        return binary
    return None


def _ask_version(binary: Path, arguments: tuple[str, ...]) -> Version | None:
    """The version a program says it has; none when it cannot run or says something unreadable.

    A dispatcher or a wrapper may say "v1.32.4-dispatcher": no version that can be compared, so
    it does not count as the program.
    """
    try:
        answer = subprocess.run(
            [binary, *arguments], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    if match is None:
        return None
    try:
        return Version(match.group(1))
    except InvalidVersion:
        return None
