"""What the runs of a bench share: a simulated forge, two stacks, and how they are run."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.bench.objects import StackObjects
from tools.bench.processes import Finished, Seen, run
from tools.sim_stack import PULUMI_PROGRAMS, REPOSITORY, STACK, SimStack
from tools.simforge import SIMFORGE_PROGRAMS, SimForge
from tools.toolchain import Toolchain

PROGRAMS = (*PULUMI_PROGRAMS, *SIMFORGE_PROGRAMS, "kubectl")
PHASE = 3
SETTINGS = REPOSITORY / f"Pulumi.{STACK}.yaml"
# With `--json`, the events of a preview come as they happen, like those of an update.
_STREAMED = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
_BARE_PROGRAM = Path(__file__).parent / "programs" / "bare.py"


@dataclass(frozen=True)
class BenchCase:
    """A folder that holds all that a bench writes, and the programs that it runs."""

    folder: Path
    toolchain: Toolchain

    @contextmanager
    def fresh_forge(self) -> Iterator[SimForge]:
        """A cluster that nothing was ever deployed on, for the length of a block."""
        forge = SimForge(self.folder / "forge", self.toolchain)
        with forge.lent():
            yield forge

    async def fresh_stack(self, name: str, forge: SimForge, program: Path = REPOSITORY) -> SimStack:
        """A stack at phase 3 with an empty state; one of the same name is gone."""
        state = self.folder / name
        shutil.rmtree(state, ignore_errors=True)
        stack = SimStack(state, self.toolchain, forge.kubeconfig, program)
        await asyncio.to_thread(stack.prepare, SETTINGS, PHASE)
        return stack

    def bare_program(self, objects: StackObjects, name: str = "bare-program") -> Path:
        """A project like the repository's whose program registers these objects as they are."""
        project = self.folder / name
        project.mkdir()
        document = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text(encoding="utf-8"))
        document["runtime"]["options"]["virtualenv"] = sys.prefix
        (project / "Pulumi.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        shutil.copy(_BARE_PROGRAM, project / "__main__.py")
        (project / "objects.json").write_text(objects.for_program(), encoding="utf-8")
        return project

    async def pulumi(
        self,
        stack: SimStack,
        command: str,
        *arguments: str,
        policies: bool = False,
        seen: Seen | None = None,
    ) -> Finished:
        """Run the engine on a stack, as a user does; `seen` gets each line that it prints."""
        line = stack.command(command, *arguments, policies=policies)
        return await run(
            [self.toolchain.path("pulumi"), "--non-interactive", *line],
            cwd=stack.program_dir,
            env={**stack.environment(), **_STREAMED},
            seen=seen,
        )

    async def export(self, stack: SimStack) -> str:
        """The stack's state in plain text. Its secrets are made up for the bench."""
        project = stack.config_file.parent
        arguments = ("-C", str(project), "stack", "export", "--show-secrets", "--stack", STACK)
        return await asyncio.to_thread(stack.checked, *arguments)

    async def kubectl(self, forge: SimForge, *arguments: str, stdin: str | None = None) -> Finished:
        """Run kubectl as the cluster's administrator."""
        return await run(
            [self.toolchain.path("kubectl"), f"--kubeconfig={forge.kubeconfig}", *arguments],
            cwd=self.folder,
            env=os.environ,
            stdin=stdin,
        )
