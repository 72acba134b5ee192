"""Where a bench ran, and with which versions."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

import psutil

from tools.toolchain import Origin, Resolved

_SQUARES = 2_000_000
PACKAGES = ("pulumi", "pulumi-kubernetes", "pulumi-policy", "pydantic")


@dataclass(frozen=True)
class Machine:
    """What the figures depend on.

    Attributes:
        cpu: model of the processor.
        cores: logical ones.
        memory_gib: of the whole machine.
        system: operating system and kernel.
        load: mean number of processes that wanted a core in the minute before the bench.
        versions: by program or package.
    """

    cpu: str
    cores: int
    memory_gib: float
    system: str
    load: float
    versions: Mapping[str, str]

    @classmethod
    def this(cls, programs: Sequence[Resolved]) -> Self:
        """The one that this runs on, with these programs."""
        return cls(
            cpu=_cpu_model(),
            cores=os.cpu_count() or 1,
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            system=_system(),
            load=round(os.getloadavg()[0], 2),
            versions={
                "Python": platform.python_version(),
                **{item.program.name: _version(item) for item in programs},
                **{f"{name} (Python)": version(name) for name in PACKAGES},
            },
        )

    def described(self) -> str:
        """One line for people."""
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:g} GiB memory, {self.system}; "
            f"load before the bench {self.load:g}"
        )


def pace_seconds() -> float:
    """How long the machine takes right now for a computation that is always the same."""
    began = time.perf_counter()
    sum(number * number for number in range(_SQUARES))
    return time.perf_counter() - began


def _version(item: Resolved) -> str:
    """A stand-in is not the official program, and a reader of the figures has to know."""
    own = " (our stand-in)" if item.origin is Origin.STAND_IN else ""
    return f"{item.program.version}{own}"


def _cpu_model() -> str:
    """As /proc/cpuinfo names it; other systems and some processors do not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
    return f"{name}, kernel {platform.release()}"
