"""Official releases: can their hosts be reached, download, check the checksum, unpack."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import shutil
import socket
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from tools.toolchain.errors import ToolchainError
from tools.toolchain.store import DISK_ERRORS
from tools.toolchain.versions import Program, Release

PROBE_SECONDS = 3
READ_SECONDS = 30
_CHUNK_BYTES = 1 << 18

Say = Callable[[str], None]


def reachable_hosts(programs: Iterable[Program]) -> dict[str, bool]:
    """Asks the release hosts of these programs, all at once, whether they answer."""
    urls: dict[str, str] = {}
    for program in programs:
        if program.release:
            urls.setdefault(urlsplit(program.release.url).netloc, program.release.url)
    with ThreadPoolExecutor(max_workers=max(1, len(urls))) as pool:
        return dict(zip(urls, pool.map(_answers, urls.values()), strict=True))


def fetch_release(release: Release, name: str, folder: Path, say: Say) -> None:
    """Puts the release's files into `folder`, once its checksum is seen to be right.

    Args:
        release: What to download.
        name: File name for a release that is no archive.
        folder: An empty folder.
        say: Told what is being done.

    Raises:
        ToolchainError: The host failed, no checksum is published, or it is another one.
    """
    file_name = release.url.rsplit("/", 1)[-1]
    download = folder / f"{file_name}.part"
    try:
        algorithm, expected = _expected_digest(release, file_name)
        digest = _download(release.url, download, algorithm, say)
    except (OSError, HTTPException) as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        raise ToolchainError(f"{release.url}: {_reason(error)}") from error
    if digest != expected:
        download.unlink()
        raise ToolchainError(
            f"{release.url} has the {algorithm} {digest}, its publisher says {expected}: "
            "not used; something between here and the publisher changed it, or cut it short"
        )
    if release.members:
        _unpack(download, release.members, folder)
        download.unlink()
    else:
        download.rename(folder / name)
    for file in folder.iterdir():
        file.chmod(0o755)


def _open(url: str, seconds: float, method: str = "GET") -> HTTPResponse:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname == "127.0.0.1"):
        raise ToolchainError(f"{url}: programs are downloaded by https only")
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "synapse"})  # noqa: S310 scheme checked above
    return cast(HTTPResponse, urllib.request.urlopen(request, timeout=seconds))  # noqa: S310 scheme checked above


def _answers(url: str) -> bool:
    try:
        with _open(url, PROBE_SECONDS, method="HEAD"):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, HTTPException):
        return False


def _expected_digest(release: Release, file_name: str) -> tuple[str, str]:
    if release.sha256:
        return "sha256", release.sha256
    for url in release.checksums:
        try:
            with _open(url, READ_SECONDS) as answer:
                digest = find_digest(answer.read().decode("utf-8"), file_name)
        except (urllib.error.HTTPError, UnicodeDecodeError):
            continue
        if digest:
            return ("sha256" if len(digest) == 64 else "sha512"), digest
    raise ToolchainError(
        f"{release.url}: its publisher gives no checksum for it, so it is not used"
    )


def find_digest(text: str, file_name: str) -> str | None:
    """The digest of a file, out of a checksum list or a GitHub release's description in JSON.

    A list has lines of a digest and a file name, or is the digest alone.
    """
    if text.lstrip().startswith("{"):
        for asset in json.loads(text).get("assets", []):
            if asset["name"] == file_name and str(asset.get("digest")).startswith("sha256:"):
                return str(asset["digest"]).removeprefix("sha256:")
        return None
    for line in text.splitlines():
        words = line.split()
        if not words or not re.fullmatch(r"[0-9a-fA-F]{64}|[0-9a-fA-F]{128}", words[0]):
            continue
        if len(words) == 1 or words[1].lstrip("*./") == file_name:
            return words[0].lower()
    return None


def _download(url: str, target: Path, algorithm: str, say: Say) -> str:
    digest = hashlib.new(algorithm)
    received = 0
    with _open(url, READ_SECONDS) as answer, target.open("wb") as out:
        total = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(_CHUNK_BYTES):
            out.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            say(f"downloading {received >> 20} of {total >> 20} MiB")
    if received < total:
        raise OSError(f"the connection ended after {received} of {total} bytes")
    return digest.hexdigest()


def _unpack(archive: Path, members: tuple[str, ...], folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if member.isfile() and any(fnmatch.fnmatch(name, pattern) for pattern in members):
                content = tar.extractfile(member)
                if content is not None:
                    with content, (folder / name).open("wb") as out:
                        shutil.copyfileobj(content, out)


def _reason(error: OSError | HTTPException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, socket.gaierror):
        return "its host cannot be resolved"
    return str(error) or type(error).__name__
