"""The per-user cache: finished programs by name and version, complete or not there at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tools.toolchain.errors import ToolchainError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR)
DISK_ERRORS = (*_FULL, *_NOT_WRITABLE)


def default_cache_dir() -> Path:
    """`$SYNAPSE_CACHE`, else `$XDG_CACHE_HOME/synapse`, else `~/.cache/synapse`."""
    if chosen := os.environ.get("SYNAPSE_CACHE"):
        return Path(chosen).expanduser().absolute()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "synapse"
    return Path.home() / ".cache" / "synapse"


class Store:
    """Folders that appear in one step: filled in a scratch folder, then renamed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, *key: str) -> Path | None:
        """The finished folder of this key, if there is one."""
        folder = self.root.joinpath(*key)
        return folder if folder.is_dir() else None

    def add(
        self,
        *key: str,
        fill: Callable[[Path], None],
        waiting: Callable[[], None] = lambda: None,
    ) -> Path:
        """The folder of this key, filled by `fill` unless it is there already.

        One process at a time fills a key; the others wait, and `waiting` is called once before.
        What an interrupted run left in its scratch folder is removed by the next run of that key.

        Raises:
            ToolchainError: The cache cannot be written.
        """
        folder = self.root.joinpath(*key)
        if folder.is_dir():
            return folder
        with translate_disk_errors(self.root), self._lock("-".join(key), waiting):
            if folder.is_dir():
                return folder
            scratch_root = self.root / "scratch" / "-".join(key)
            shutil.rmtree(scratch_root, ignore_errors=True)
            scratch_root.mkdir(parents=True)
            scratch = Path(tempfile.mkdtemp(dir=scratch_root))
            try:
                fill(scratch)
                scratch.chmod(0o755)
                folder.parent.mkdir(parents=True, exist_ok=True)
                scratch.rename(folder)
            finally:
                shutil.rmtree(scratch_root, ignore_errors=True)
        return folder

    @contextlib.contextmanager
    def _lock(self, name: str, waiting: Callable[[], None]) -> Iterator[None]:
        (self.root / "locks").mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / "locks" / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


@contextlib.contextmanager
def translate_disk_errors(root: Path) -> Iterator[None]:
    """Turns a full disk or a folder that cannot be written into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ToolchainError(
                f"no space left for the toolchain in {root} (it takes about 1 GiB, 6 while "
                "building); free some, or set SYNAPSE_CACHE to a folder on a larger disk"
            ) from error
        if error.errno in _NOT_WRITABLE:
            raise ToolchainError(
                f"cannot write to the cache {root} ({error.strerror}); make it writable, or set "
                "SYNAPSE_CACHE to a folder that is"
            ) from error
        raise
