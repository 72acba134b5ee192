"""Commands that are timed: bounded, and gone with all that they started."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tools.bench.errors import BenchError

LIMIT_SECONDS = 180.0
# An event of the engine holds a whole plan, on one line.
_LONGEST_LINE_BYTES = 64 << 20
_TOLD_OF_A_FAILURE = 2000
# With it, every run would compile all of Synapse, and nothing of the installed packages.
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


Seen = Callable[[str], None]


@dataclass(frozen=True)
class Finished:
    """A command that has ended well.

    Attributes:
        seconds: wall clock time, from before its start to after its end.
        ended_at: `time.perf_counter()` after its end.
        out: what it wrote to stdout.
        err: what it wrote to stderr.
    """

    seconds: float
    ended_at: float
    out: str
    err: str


async def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    allowed: Sequence[int] = (0,),
    stdin: str | None = None,
    seen: Seen | None = None,
) -> Finished:
    """Run a command in a session of its own, and end all of that session if it is left early.

    Args:
        command: program and arguments.
        cwd: where it runs.
        env: its environment.
        allowed: exit statuses of a run that counts.
        stdin: what it is told.
        seen: called with each line of stdout as it comes.

    Raises:
        BenchError: another exit status, or not ended within `LIMIT_SECONDS`.
    """
    begin = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={name: value for name, value in env.items() if name != _NO_BYTECODE},
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        limit=_LONGEST_LINE_BYTES,
    )
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            out, err, _ = await asyncio.gather(
                _lines(process.stdout, seen), _lines(process.stderr), _tell(process.stdin, stdin)
            )
            status = await process.wait()
        ended_at = time.perf_counter()
    except TimeoutError:
        raise BenchError(f"{_words(command)} had not ended after {LIMIT_SECONDS:g} s") from None
    finally:
        _end_session(process.pid)
        await process.wait()
    if status not in allowed:
        said = (out + err)[-_TOLD_OF_A_FAILURE:]
        raise BenchError(f"{_words(command)} ended with exit status {status}:\n{said}")
    return Finished(ended_at - begin, ended_at, out, err)


async def _lines(stream: asyncio.StreamReader | None, seen: Seen | None = None) -> str:
    lines = []
    if stream:
        async for line in stream:
            lines.append(line.decode("utf-8", "replace"))
            if seen:
                seen(lines[-1])
    return "".join(lines)


async def _tell(stream: asyncio.StreamWriter | None, text: str | None) -> None:
    if stream and text is not None:
        stream.write(text.encode())
        await stream.drain()
        stream.close()


def _words(command: Sequence[str | Path]) -> str:
    return "`" + " ".join([Path(command[0]).name, *map(str, command[1:4])]) + " …`"


def _end_session(leader: int) -> None:
    """Plugins have process groups of their own, so the session is what holds them together."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader:
                process.kill()
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
