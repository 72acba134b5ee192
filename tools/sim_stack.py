"""The stack `sim`: Pulumi on a local file backend, against the simulated forge.

All that it writes lies in the state folder: the checkout stays as it is. Pulumi keeps a stack's
salt and settings in the project's `Pulumi.<stack>.yaml`, so a copy of the project's two files
stands in for them there.
"""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from tools.private_file import write_private
from tools.toolchain import Toolchain

PROJECT = "synapse"
STACK = "sim"
POLICY_PACK = "policy"
REPOSITORY = Path(__file__).parents[1]
PULUMI_PROGRAMS = (
    "pulumi",
    "pulumi-language-python",
    "pulumi-resource-kubernetes",
    "pulumi-resource-command",
)
# What an earlier run has put into the stack's file, and the next one has to find again.
_SALT = "encryptionsalt"
_KEPT = (_SALT,)
_KEPT_CONFIG = (f"{PROJECT}:gateway_key",)


class SimStackError(Exception):
    """The stack cannot be worked on; the message says why, and the cure."""


@dataclass(frozen=True)
class SimStack:
    """One stack `sim` in a state folder.

    Attributes:
        state_dir: where backend, passphrase and the copied project files lie.
        kubeconfig: of the simulated forge.
        program_dir: the Pulumi program; the repository unless a test brings another.
    """

    state_dir: Path
    toolchain: Toolchain
    kubeconfig: Path
    program_dir: Path = REPOSITORY

    @property
    def _project_dir(self) -> Path:
        return self.state_dir / "project"

    @property
    def config_file(self) -> Path:
        """The stack's file that Pulumi reads and writes."""
        return self._project_dir / f"Pulumi.{STACK}.yaml"

    @property
    def _backend(self) -> Path:
        return self.state_dir / "backend"

    @property
    def _temporary_dir(self) -> Path:
        """The Kubernetes provider leaves a copy of the kubeconfig among the temporary files."""
        return self.state_dir / "temporary"

    def prepare(
        self, settings: Path, phase: int, target: Mapping[str, object] | None = None
    ) -> None:
        """Make the stack, or bring its settings up to date with `settings` and `phase`.

        Args:
            settings: a stack file; it is only read.
            phase: in place of the file's.
            target: in place of the simulated forge.

        Raises:
            SimStackError: another run is at work on the stack, the state folder cannot be written,
                or Pulumi refuses.
        """
        for folder in (self._project_dir, self._backend):
            make_state_folder(folder)
        self._release_lock_of_the_dead()
        shutil.rmtree(self._temporary_dir, ignore_errors=True)
        make_state_folder(self._temporary_dir)
        if _SALT not in yaml.safe_load(settings.read_text()):
            self._write_passphrase()
        self._write_config(
            settings, phase, target or {"kind": "sim", "kubeconfig": str(self.kubeconfig)}
        )
        if not (self._backend / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json").exists():
            self.checked("-C", str(self._project_dir), "stack", "init", STACK, "--no-select")
        if target is None and _KEPT_CONFIG[0] not in self._config_document()["config"]:
            key = f"sk-{secrets.token_hex(24)}"
            self.checked(*self._of_stack("config", "set", "--secret", "gateway_key"), told=key)

    def run(
        self, command: str, *arguments: str, policies: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `pulumi up`, `preview`, … on the stack, and return its output.

        Args:
            command: of the CLI.
            arguments: further ones.
            policies: whether the policy pack judges it.
        """
        return self._pulumi(self.command(command, *arguments, policies=policies))

    def command(self, command: str, *arguments: str, policies: bool = True) -> list[str]:
        """The command line of `run`, without the program."""
        pack = ["--policy-pack", str(REPOSITORY / POLICY_PACK)] if policies else []
        return [*self._of_stack(command), *pack, *arguments]

    def checked(self, *arguments: str, told: str | None = None) -> str:
        """Run Pulumi, and return what it printed.

        Raises:
            SimStackError: it failed.
        """
        done = self._pulumi(arguments, told)
        if done.returncode:
            raise SimStackError(f"`pulumi {arguments[0]}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def outputs(self) -> dict[str, object]:
        """The stack's outputs; secrets are not among them."""
        printed = self.checked("-C", str(self._project_dir), "stack", "output", "--json", *_STACK)
        outputs: dict[str, object] = json.loads(printed)
        return outputs

    def environment(self) -> dict[str, str]:
        """The environment in which Pulumi works on this stack."""
        environment = {
            **self.toolchain.environment(),
            "PULUMI_BACKEND_URL": f"file://{self._backend}",
            "TMPDIR": str(self._temporary_dir),
        }
        if self._passphrase_file.exists():  # else the settings are encrypted with the user's own
            environment |= {"PULUMI_CONFIG_PASSPHRASE_FILE": str(self._passphrase_file)}
        return environment

    @property
    def _passphrase_file(self) -> Path:
        return self.state_dir / "passphrase"

    def _of_stack(self, *command: str) -> list[str]:
        return [*command, *_STACK, "--config-file", str(self.config_file)]

    def _pulumi(
        self, arguments: Sequence[str], told: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.toolchain.path("pulumi"), "--non-interactive", *arguments],
            cwd=self.program_dir,
            env=self.environment(),
            input=told,
            stdin=subprocess.DEVNULL if told is None else None,
            capture_output=True,
            text=True,
            check=False,
        )

    def _write_passphrase(self) -> None:
        if not self._passphrase_file.exists():
            write_private(self._passphrase_file, secrets.token_hex(24))

    def _config_document(self) -> dict[str, dict[str, object]]:
        if not self.config_file.exists():
            return {"config": {}}
        document: dict[str, dict[str, object]] = yaml.safe_load(self.config_file.read_text())
        return document

    def _write_config(self, settings: Path, phase: int, target: Mapping[str, object]) -> None:
        before = self._config_document()
        document = yaml.safe_load(settings.read_text())
        config = document["config"]
        config[f"{PROJECT}:phase"] = phase
        config[f"{PROJECT}:target"] = dict(target)
        document |= {key: before[key] for key in _KEPT if key in before}
        config |= {key: before["config"][key] for key in _KEPT_CONFIG if key in before["config"]}
        write_private(self.config_file, yaml.safe_dump(document, sort_keys=False))
        write_private(self._project_dir / "Pulumi.yaml", (REPOSITORY / "Pulumi.yaml").read_text())

    def _release_lock_of_the_dead(self) -> None:
        """A run that was killed leaves its lock; one that is alive keeps it."""
        for lock in (self._backend / ".pulumi" / "locks").rglob("*.json"):
            pid = json.loads(lock.read_text()).get("pid")
            if isinstance(pid, int) and psutil.pid_exists(pid):
                raise SimStackError(
                    f"pulumi is at work on this stack already (pid {pid}); wait for it to end"
                )
            lock.unlink(missing_ok=True)


_STACK = ("--stack", STACK)


def make_state_folder(folder: Path) -> None:
    """Make a folder that only its owner may read, and see that it can be written.

    Raises:
        SimStackError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        why = "" if os.access(folder, os.W_OK) else "it is read-only"
    except OSError as error:
        why = error.strerror or "it cannot be made"
    if why:
        raise SimStackError(
            f"the state folder {folder} cannot be used ({why}); "
            "set SYNAPSE_STATE to a folder that you can write"
        )
