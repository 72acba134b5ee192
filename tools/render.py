"""`make render`: the stack's manifests as files, for GitOps; no cluster is asked."""

import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from synapse.settings.load import read_stack_file
from tools.plain_settings import without_secrets
from tools.sim_stack import PULUMI_PROGRAMS, SimStack, SimStackError
from tools.toolchain import ensure

_NO_KUBECONFIG = Path("no-kubeconfig")


def render(
    config: Path, phase: int | None, directory: Path, certificate: Path | None, console: Console
) -> int:
    """Write the manifests of a stack file, and return how many there are.

    The provider writes only what is new to its state, so every run has a state of its own, and
    what an earlier run has written is removed first.

    Args:
        config: the stack file.
        phase: in place of the file's.
        directory: receives the manifests.
        certificate: seals the Secrets for the cluster; without it they are left out.
        console: shows progress.

    Raises:
        SettingsError: the config is invalid.
        SimStackError: the config is refused, or the directory holds something else.
    """
    settings = read_stack_file(config)
    _refuse_other_files(directory)
    sealing = (
        {"secrets": "sealed", "sealing_certificate": str(certificate.absolute())}
        if certificate
        else {}
    )
    programs = [*PULUMI_PROGRAMS, *(["kubeseal"] if certificate else [])]
    toolchain = ensure(programs, console)
    with tempfile.TemporaryDirectory(prefix="synapse-render-") as scratch:
        written = Path(scratch) / "manifests"
        stack = SimStack(Path(scratch), toolchain, _NO_KUBECONFIG)
        target = {"kind": "render", "directory": str(written), **sealing}
        source = config if certificate else without_secrets(config, Path(scratch))
        stack.prepare(source, phase or settings.phase, target)
        with console.status("rendering"):
            done = stack.run("up", "--yes", "--skip-preview", "--suppress-progress")
        if done.returncode:
            raise SimStackError(f"nothing was rendered:\n{done.stdout}{done.stderr}")
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(written, directory)
    return len(list(directory.rglob("*.yaml")))


def _refuse_other_files(directory: Path) -> None:
    """A directory is replaced as a whole: it must be ours, or empty, or not there."""
    if not directory.exists():
        return
    others = [item.name for item in directory.iterdir() if item.name not in ("0-crd", "1-manifest")]
    if others:
        raise SimStackError(
            f"{directory} holds {', '.join(sorted(others)[:3])}, which are no rendered manifests; "
            "name an empty directory by --directory"
        )
