"""Decides for each program where it comes from, and gets it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from tools.toolchain.errors import ToolchainError
from tools.toolchain.gobuild import build
from tools.toolchain.golang import find_go
from tools.toolchain.installed import find_installed, find_plugin
from tools.toolchain.progress import Progress
from tools.toolchain.releases import fetch_release, reachable_hosts
from tools.toolchain.store import Store, default_cache_dir, translate_disk_errors
from tools.toolchain.toolchain import STAND_INS, Toolchain, assemble
from tools.toolchain.versions import (
    VERSIONS_FILE,
    GoSource,
    Program,
    Release,
    Versions,
    load_versions,
)

UNREACHABLE_REMEMBERED_SECONDS = 3600


class Origin(StrEnum):
    """Where a program came from."""

    INSTALLED = "on this machine"
    BUNDLED = "with the engine"
    RELEASE = "official release"
    BUILT = "built from its Go module"
    STAND_IN = "our stand-in, not the official one"


@dataclass(frozen=True)
class Resolved:
    """A program that is there."""

    program: Program
    path: Path
    origin: Origin


def ensure(
    names: Sequence[str], console: Console, versions_file: Path = VERSIONS_FILE
) -> Toolchain:
    """Gets these programs, and returns the folder and the environment to run them with.

    Args:
        names: Names in versions.yaml.
        console: Where progress is shown.
        versions_file: Another list than tools/versions.yaml.

    Raises:
        ToolchainError: One of them cannot be had; the message says why and what to do.
    """
    resolved = resolve(names, console, versions_file)
    store = Store(default_cache_dir())
    with translate_disk_errors(store.root):
        return assemble(store, [(item.program, item.path) for item in resolved])


def resolve(
    names: Sequence[str], console: Console, versions_file: Path = VERSIONS_FILE
) -> list[Resolved]:
    """Gets these programs, each from the best place that there is."""
    versions = load_versions(versions_file)
    resolver = _Resolver(versions, Store(default_cache_dir()), Progress(console))
    return resolver.resolve([versions.program(name) for name in names])


class _Resolver:
    def __init__(self, versions: Versions, store: Store, progress: Progress) -> None:
        self.versions = versions
        self.store = store
        self.progress = progress
        self.found: dict[str, Resolved] = {}

    def resolve(self, programs: list[Program]) -> list[Resolved]:
        """Gets the programs in the order in which they were asked for."""
        ordered = sorted(programs, key=lambda program: program.bundled_with is not None)
        for program in ordered:
            if here := self._already_here(program):
                self.found[program.name] = here
        missing = [program for program in ordered if program.name not in self.found]
        if missing:
            with translate_disk_errors(self.store.root):
                self._get(missing)
        return [self.found[program.name] for program in programs]

    def _already_here(self, program: Program) -> Resolved | None:
        if path := find_installed(program, self.store.root):
            return Resolved(program, path, Origin.INSTALLED)
        if program.plugin and (path := find_plugin(program, self.store.root)):
            return Resolved(program, path, Origin.INSTALLED)
        for origin in (Origin.RELEASE, Origin.BUILT):
            if folder := self.store.find(*_key(program, origin)):
                return Resolved(program, folder / program.name, origin)
        return None

    def _get(self, missing: list[Program]) -> None:
        hosts = self._reachable(missing)
        with self.progress.showing([program.name for program in missing]):
            for program in missing:
                resolved = self._get_one(program, hosts)
                self.found[program.name] = resolved
                self.progress.done(program.name, f"{program.version}, {resolved.origin}")

    def _get_one(self, program: Program, hosts: dict[str, bool]) -> Resolved:
        if program.bundled_with and (beside := self._beside(program, program.bundled_with)):
            return Resolved(program, beside, Origin.BUNDLED)
        release = program.release
        if release and hosts.get(urlsplit(release.url).netloc):
            try:
                return self._from_release(program, release)
            except ToolchainError as error:
                if not program.go and not program.stand_in:
                    raise
                self.progress.note(f"{program.name}: {error}")
        if program.go:
            return self._from_go(program, program.go)
        if program.stand_in:
            return Resolved(program, STAND_INS / program.stand_in, Origin.STAND_IN)
        raise ToolchainError(
            f"{program.name} {program.version} is offered by its release host only, which cannot "
            "be reached; connect to the internet once, or put it on PATH"
        )

    def _beside(self, program: Program, companion: str) -> Path | None:
        """The program in the folder of the one that it is published with."""
        if companion not in self.found:
            self.found[companion] = self.resolve([self.versions.program(companion)])[0]
        path = self.found[companion].path.resolve().parent / program.name
        return path if path.is_file() else None

    def _from_release(self, program: Program, release: Release) -> Resolved:
        def say(state: str) -> None:
            self.progress.say(program.name, state)

        say("downloading")
        folder = self.store.add(
            *_key(program, Origin.RELEASE),
            fill=lambda scratch: fetch_release(release, program.name, scratch, say),
            waiting=lambda: self.progress.note(
                f"{program.name}: another run is getting it; waiting"
            ),
        )
        return Resolved(program, folder / program.name, Origin.RELEASE)

    def _from_go(self, program: Program, source: GoSource) -> Resolved:
        def say(state: str) -> None:
            self.progress.say(program.name, state)

        say("building from its Go module")
        go = find_go(self.versions.go_wheel, self.store, say)
        folder = self.store.add(
            *_key(program, Origin.BUILT),
            fill=lambda scratch: build(source, program.name, go, scratch, say),
            waiting=lambda: self.progress.note(
                f"{program.name}: another run is building it; waiting"
            ),
        )
        return Resolved(program, folder / program.name, Origin.BUILT)

    def _reachable(self, missing: list[Program]) -> dict[str, bool]:
        """Which release hosts answer; that one does not is remembered for an hour."""
        memory = self.store.root / "unreachable.json"
        try:
            remembered = json.loads(memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            remembered = {}
        hosts = {urlsplit(item.release.url).netloc for item in missing if item.release}
        fresh = {
            host
            for host in hosts
            if time.time() - remembered.get(host, 0) < UNREACHABLE_REMEMBERED_SECONDS
        }
        asked = [
            item
            for item in missing
            if item.release and urlsplit(item.release.url).netloc not in fresh
        ]
        answers = reachable_hosts(asked)
        if answers:
            self.progress.note(_say_reachability(answers))
            silent = {host: time.time() for host, answered in answers.items() if not answered}
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.write_text(json.dumps({**remembered, **silent}), encoding="utf-8")
        return {**dict.fromkeys(fresh, False), **answers}


def _key(program: Program, origin: Origin) -> tuple[str, str, str]:
    return ("programs", program.name, f"{program.version}-{origin.name.lower()}")


def _say_reachability(answers: dict[str, bool]) -> str:
    good = [host for host, answered in answers.items() if answered]
    bad = [host for host, answered in answers.items() if not answered]
    if not bad:
        return "Release hosts answer: downloading."
    if not good:
        return f"No release host answers ({', '.join(bad)}): building from the Go modules."
    return f"Answering: {', '.join(good)}. Not answering: {', '.join(bad)}; building those."
