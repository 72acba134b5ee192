"""Processes that outlive the command that started them, and are ended by whoever comes later.

A file holds the process id and the time at which that process began: an id that another program
has since got is never taken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

KILL_SECONDS = 5
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Process:
    """One of our processes; `folder` holds its record, its log and its working directory."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return self.folder / "run" / f"{self.name}.json"

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Starts it in a session of its own, so that a Ctrl-C here does not reach it.

        `environment` is added to ours.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._record.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = psutil.Popen(
                [str(part) for part in command],
                cwd=self.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        record = {"pid": process.pid, "began": process.create_time()}
        self._record.write_text(json.dumps(record), encoding="utf-8")

    def running(self) -> psutil.Process | None:
        """The process, while it runs; a record of an earlier boot or another process is none."""
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            record = json.loads(self._record.read_text(encoding="utf-8"))
            process = psutil.Process(int(record["pid"]))
            if _is_alive(process) and process.create_time() == record["began"]:
                return process
        return None

    def forget(self) -> None:
        """Removes its record, once it has ended."""
        self._record.unlink(missing_ok=True)


def stop(processes: Iterable[Process], grace_seconds: float) -> None:
    """Asks these processes to end, and kills those that have not after the grace period."""
    processes = list(processes)
    running = [found for process in processes if (found := process.running())]
    for process in running:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    stubborn = _wait(running, grace_seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _wait(stubborn, KILL_SECONDS)
    for record in processes:
        record.forget()


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after that time; one that nobody has waited for has ended."""
    deadline = time.monotonic() + seconds
    while (alive := [item for item in processes if _is_alive(item)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(_POLL_SECONDS)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
