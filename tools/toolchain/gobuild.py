"""Builds a program from its published Go module, with Go's sum verification on.

The main module is made from the module's own go.mod and go.sum: so the versions are those that
its authors tested, and its `replace` lines count. The module's own hash is put into go.sum from
versions.yaml, because the checksum database does not know all of these modules.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import IO

from tools.toolchain.errors import ToolchainError
from tools.toolchain.golang import go_environment
from tools.toolchain.releases import Say
from tools.toolchain.versions import GoSource

GO_MAINS = Path(__file__).parent / "go_mains"


def build(source: GoSource, name: str, go: Path, folder: Path, say: Say) -> None:
    """Puts the program (or the file) `name`, made from `source`, into `folder`.

    Raises:
        ToolchainError: The module cannot be had, its hash is another one, or it does not compile.
    """
    workspace = folder / "src"
    workspace.mkdir()
    say("downloading the Go module")
    module_dir = _download_module(source, name, go, workspace)
    if source.file:
        shutil.copyfile(module_dir / source.file, folder / name)
    else:
        _write_workspace(source, name, module_dir, workspace)
        _compile(source, go, workspace, folder / name, say)
    shutil.rmtree(workspace)


def _download_module(source: GoSource, name: str, go: Path, workspace: Path) -> Path:
    (workspace / "go.mod").write_text(f"module synapse.invalid/{name}\n\ngo 1.25\n", "utf-8")
    (workspace / "go.sum").write_text(_seed(source), "utf-8")
    answer = subprocess.run(
        [go, "mod", "download", "-json", f"{source.module}@{source.version}"],
        cwd=workspace,
        env=go_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        described = json.loads(answer.stdout)
    except json.JSONDecodeError:
        described = {"Error": answer.stderr}
    if "Error" in described:
        raise ToolchainError(_explain(source, described["Error"]))
    if described["Sum"] != source.sum:
        raise ToolchainError(
            f"Go module {source.module}@{source.version} has the hash {described['Sum']}, "
            f"tools/versions.yaml says {source.sum}: not used"
        )
    return Path(described["Dir"])


def _seed(source: GoSource) -> str:
    module = f"{source.module} {source.version}"
    return f"{module} {source.sum}\n{module}/go.mod {source.mod_sum}\n"


def _write_workspace(source: GoSource, name: str, module_dir: Path, workspace: Path) -> None:
    own = (module_dir / "go.mod").read_text(encoding="utf-8")
    (workspace / "go.mod").write_text(main_go_mod(own, source, name), "utf-8")
    own_sums = (module_dir / "go.sum").read_text(encoding="utf-8")
    (workspace / "go.sum").write_text(own_sums + _seed(source), "utf-8")
    if source.main:
        shutil.copyfile(GO_MAINS / source.main, workspace / "main.go")
    for file in source.embed:
        shutil.copyfile(module_dir / file, workspace / Path(file).name)


def main_go_mod(own: str, source: GoSource, name: str) -> str:
    """The go.mod of the main module, made from the module's own.

    Replacements by a folder are dropped (the folder is not in the module), those by another
    module are kept; `staging_version` replaces the libraries that are required as v0.0.0.
    """
    local = re.compile(r"^\s*(replace\s+)?\S+(\s+v\S+)?\s+=>\s+\.{1,2}/.*$", re.MULTILINE)
    text = local.sub("", own)
    text = re.sub(r"^module\s+\S+", f"module synapse.invalid/{name}", text, flags=re.MULTILINE)
    text = re.sub(r"^toolchain\s+\S+$", "", text, flags=re.MULTILINE)
    text += f"\nrequire {source.module} {source.version}\n"
    if source.staging_version:
        staged = re.findall(r"^\s+(\S+) v0\.0\.0(?:\s|$)", own, flags=re.MULTILINE)
        for library in staged:
            text += f"replace {library} => {library} {source.staging_version}\n"
    return text


def _compile(source: GoSource, go: Path, workspace: Path, target: Path, say: Say) -> None:
    variables = [f"-X {key}={value}" for key, value in source.variables.items()]
    command = [
        *(str(go), "build", "-mod=mod", "-buildvcs=false", "-trimpath", "-v"),
        *("-ldflags", " ".join(["-s", "-w", *variables]), "-o", str(target)),
        source.package or ".",
    ]
    with subprocess.Popen(
        command, cwd=workspace, env=go_environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        if process.stderr is None:
            raise AssertionError("stderr is a pipe")
        try:
            last_lines = _follow(process.stderr, say)
            failed = process.wait() != 0
        except BaseException:
            process.terminate()
            raise
    if failed:
        raise ToolchainError(_explain(source, "\n".join(last_lines)))


def _follow(lines: IO[str], say: Say) -> list[str]:
    """Reports Go's progress; returns the lines that name no package or download."""
    downloaded = compiled = 0
    problems: list[str] = []
    for line in lines:
        text = line.strip()
        if text.startswith("go: downloading "):
            downloaded += 1
        elif re.fullmatch(r"[\w.~/+-]+", text):
            compiled += 1
        elif text:
            problems.append(text)
        say(f"compiled {compiled} packages" if compiled else f"downloaded {downloaded} modules")
    return problems


def _explain(source: GoSource, output: str) -> str:
    what = f"Go module {source.module}@{source.version}"
    lowered = output.lower()
    if "no space left" in lowered:
        return f"{what}: no space left on the disk while building; free about 6 GiB"
    if "security error" in lowered or "checksum mismatch" in lowered:
        return f"{what}: its content does not have the hash in tools/versions.yaml: not used"
    network = (
        "dial tcp",
        "no such host",
        "i/o timeout",
        "connection refused",
        "network is unreach",
    )
    if any(sign in lowered for sign in network):
        return f"{what} cannot be downloaded: no network, and no release host either; connect once"
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return f"{what} cannot be built: {' | '.join(lines[-3:]) if lines else 'go gave no reason'}"
