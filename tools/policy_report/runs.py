"""The engine with the pack: on a stack file, on a stack of a backend, on exported state."""

import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tools.plain_settings import without_secrets
from tools.policy_report.errors import PolicyRunError
from tools.sim_stack import POLICY_PACK, PULUMI_PROGRAMS, REPOSITORY, SimStack
from tools.toolchain import ensure

_SECRETS = ("gateway_key", "hf_token")
# With `--json`, the events of a preview come as they happen, and the pack's are among them.
_STREAMED = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
_NO_KUBECONFIG = "no-kubeconfig"


@dataclass(frozen=True)
class EngineRun:
    """A command of the engine that prints events."""

    command: Sequence[str | Path]
    cwd: Path
    environment: Mapping[str, str]

    def finish(self, pack_config: Path | None) -> subprocess.CompletedProcess[str]:
        """Run it with the pack, and return all that it printed."""
        config = ["--policy-pack-config", str(pack_config.absolute())] if pack_config else []
        return subprocess.run(
            [*self.command, "--policy-pack", str(REPOSITORY / POLICY_PACK), *config],
            cwd=self.cwd,
            env={**self.environment, **_STREAMED},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def of_stack_file(config: Path, phase: int, console: Console) -> Iterator[EngineRun]:
    """A preview of this program with a stack file, from nothing: no login, cluster or passphrase.

    The file is only read: Pulumi gets a copy. Made-up values stand in for its secrets.
    """
    toolchain = ensure(PULUMI_PROGRAMS, console)
    with tempfile.TemporaryDirectory(prefix="synapse-policy-") as folder:
        scratch = Path(folder)
        stack = SimStack(scratch, toolchain, scratch / _NO_KUBECONFIG)
        stack.prepare(without_secrets(config, scratch), phase, {"kind": "cluster"})
        for name in _SECRETS:
            command = stack.command("config", "set", "--secret", name, policies=False)
            stack.checked(*command, told=f"sk-{secrets.token_hex(24)}")
        yield EngineRun(
            [
                toolchain.path("pulumi"),
                "--non-interactive",
                *stack.command("preview", "--json", policies=False),
            ],
            REPOSITORY,
            {**stack.environment(), "KUBECONFIG": str(stack.kubeconfig)},
        )


@contextmanager
def of_backend(name: str, program: Path, console: Console) -> Iterator[EngineRun]:
    """A preview of a stack on the backend that the user is logged in to, of any program.

    Pulumi writes to a stack's file, so it gets a copy.
    """
    toolchain = ensure(PULUMI_PROGRAMS, console)
    file = program / f"Pulumi.{name.rpartition('/')[2]}.yaml"
    with tempfile.TemporaryDirectory(prefix="synapse-policy-") as folder:
        copy = Path(folder) / file.name
        copy.write_text(file.read_text(encoding="utf-8") if file.exists() else "", "utf-8")
        yield EngineRun(
            [
                toolchain.path("pulumi"),
                "--non-interactive",
                "preview",
                "--json",
                *("--stack", name),
                *("--config-file", copy),
            ],
            program,
            {**toolchain.environment(), "TMPDIR": folder},  # the provider copies kubeconfigs there
        )


@contextmanager
def of_state(file: Path, console: Console) -> Iterator[EngineRun]:
    """An analysis of what `pulumi stack export` has written; no program is run."""
    if not file.exists():
        raise PolicyRunError(f"{file} is not there; write it with `pulumi stack export --file`")
    toolchain = ensure(PULUMI_PROGRAMS, console)
    yield EngineRun(
        [
            toolchain.path("pulumi"),
            "--non-interactive",
            *("policy", "analyze", "--json"),
            *("--file", file.absolute()),
        ],
        REPOSITORY,
        toolchain.environment(),
    )
