"""A set of resolved programs, laid out so that the engine finds them and has nothing to warn of.

The engine warns of each plugin that it finds on PATH. So `bin/` holds no plugin, plugins lie where
`pulumi plugin install` would put them, and the language host lies beside the engine's own file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.toolchain.store import Store
from tools.toolchain.versions import Program

STAND_INS = Path(__file__).parent / "stand_ins"

# The interpreter is not written into the cache: it is that of the project that asks.
_LAUNCHER = """\
#!/bin/sh
exec "${{SYNAPSE_PYTHON:-python3}}" -u "${{0%/*}}/{script}" "$@"
"""


@dataclass(frozen=True)
class Toolchain:
    """Programs that are there, and how to run them."""

    root: Path
    paths: dict[str, Path]

    @property
    def bin_dir(self) -> Path:
        """The folder to put first on PATH."""
        return self.root / "bin"

    def path(self, name: str) -> Path:
        """The file of a program that was asked for."""
        return self.paths[name]

    def environment(self) -> dict[str, str]:
        """This process's environment, changed so that Pulumi runs with exactly these programs.

        State stays where the caller says: set PULUMI_BACKEND_URL and PULUMI_CONFIG_PASSPHRASE.
        """
        return {
            **os.environ,
            "PATH": f"{self.bin_dir}{os.pathsep}{os.environ.get('PATH', '')}",
            "PULUMI_HOME": str(self.root / "pulumi-home"),
            # Plugins from elsewhere on PATH would win, with a warning each.
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # The engine keeps a log of each run below its home.
            "PULUMI_LOG_ROTATION_MAX_TOTAL_MB": "20",
            "SYNAPSE_PYTHON": sys.executable,
        }


def assemble(store: Store, programs: Sequence[tuple[Program, Path]]) -> Toolchain:
    """Lays the programs out in a folder of the cache that is theirs alone."""
    root = store.add("sets", _identity(programs), fill=lambda scratch: _lay_out(programs, scratch))
    paths = {program.name: _place(root, program) for program, _ in programs}
    return Toolchain(root, paths)


def _identity(programs: Sequence[tuple[Program, Path]]) -> str:
    digest = hashlib.sha256(_LAUNCHER.encode())
    for program, path in sorted(programs, key=lambda item: item[0].name):
        digest.update(f"{program.name} {program.version} {path}\n".encode())
        if path.is_relative_to(STAND_INS):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _place(root: Path, program: Program) -> Path:
    if program.plugin:
        folder = root / "pulumi-home" / "plugins" / f"resource-{program.plugin}-v{program.version}"
        return folder / program.name
    return root / "bin" / program.name


def _lay_out(programs: Sequence[tuple[Program, Path]], root: Path) -> None:
    (root / "pulumi-home").mkdir()
    companions = {program.bundled_with for program, path in programs if _is_stand_in(path)}
    for program, source in programs:
        place = _place(root, program)
        place.parent.mkdir(parents=True, exist_ok=True)
        if _is_stand_in(source):
            shutil.copyfile(source, place.parent / source.name)
            place.write_text(_LAUNCHER.format(script=source.name), encoding="utf-8")
            place.chmod(0o755)
        elif program.name in companions:
            _link_or_copy(source.resolve(), place)
        else:
            place.symlink_to(source.resolve())


def _is_stand_in(path: Path) -> bool:
    return path.is_relative_to(STAND_INS)


def _link_or_copy(source: Path, target: Path) -> None:
    """A real file, not a symbolic link: the engine looks for its companions beside itself."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
