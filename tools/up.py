"""`make up` and `make down`: the whole stack on a simulated forge, through the real engine."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table

from synapse.catalogue import load_catalogue
from synapse.console.ledger import print_ledger
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.plan.phases import HIGHEST_BUILT
from synapse.settings.load import read_stack_file
from synapse.settings.settings import Settings
from tools.sim_stack import (
    PULUMI_PROGRAMS,
    REPOSITORY,
    STACK,
    SimStack,
    SimStackError,
    make_state_folder,
)
from tools.simforge import SIMFORGE_PROGRAMS, NodeSpec, Remains, SimForge
from tools.toolchain import ensure

SETTINGS = REPOSITORY / f"Pulumi.{STACK}.yaml"
_FORGE = "sim"


def bring_up(state_dir: Path, phase: int | None, console: Console) -> int:
    """Bring the stack to the end of a phase, and say what there is. Return Pulumi's exit status.

    Raises:
        SimStackError: another run is at work in the same state folder.
        SettingsError: Pulumi.sim.yaml is invalid.
    """
    settings = read_stack_file(SETTINGS)
    plan = make_plan(settings, load_catalogue())
    wanted = HIGHEST_BUILT if phase is None else phase
    with _alone(state_dir):
        toolchain = ensure([*PULUMI_PROGRAMS, *SIMFORGE_PROGRAMS, "kubectl"], console)
        forge = SimForge(state_dir / _FORGE, toolchain, _node(settings))
        with console.status("starting the simulated forge"):
            kubeconfig = forge.start()
        stack = SimStack(state_dir, toolchain, kubeconfig)
        with console.status("preparing the stack"):
            stack.prepare(SETTINGS, wanted)
        status = _pulumi_up(stack)
        if status == 0:
            print_ledger(console, plan, up_to_phase=wanted)
            _print_endpoints(console, stack, plan)
    return status


def tear_down(state_dir: Path) -> None:
    """End the simulated forge and remove cluster, state and settings together.

    `pulumi destroy` would refuse at the protected volumes: they are gone with their cluster.
    """
    if state_dir.exists():
        with _alone(state_dir):
            Remains(state_dir / _FORGE).destroy()
        shutil.rmtree(state_dir)


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    make_state_folder(state_dir)
    try:
        with FileLock(state_dir / "lock", timeout=0):
            yield
    except Timeout:
        raise SimStackError(
            f"another `make up` or `make down` is at work in {state_dir}; wait for it to end"
        ) from None


def _node(settings: Settings) -> NodeSpec:
    """The simulated node has what the settings say that the real one has."""
    catalogued = load_catalogue().gpu(settings.gpu.model)
    return NodeSpec(
        cpu_cores=int(settings.node.cpus),
        memory_gib=int(settings.node.memory_gib),
        ephemeral_storage_gib=int(settings.node.storage_gib),
        gpu_count=settings.gpu.count,
        gpu_product=next(iter(catalogued.product_labels), catalogued.title.replace(" ", "-")),
    )


def _pulumi_up(stack: SimStack) -> int:
    """Run `pulumi up` on the user's own terminal; Ctrl-C is the engine's to handle."""
    quiet = [] if sys.stdout.isatty() else ["--non-interactive", "--suppress-progress"]
    engine = subprocess.Popen(
        [stack.toolchain.path("pulumi"), *stack.command("up", "--yes", *quiet)],
        cwd=stack.program_dir,
        env=stack.environment(),
    )
    while True:
        try:
            return engine.wait()
        except KeyboardInterrupt:
            continue  # it has got the same signal, and ends when its work in hand is safe


def _print_endpoints(console: Console, stack: SimStack, plan: Plan) -> None:
    endpoints = stack.outputs()["endpoints"]
    table = Table("service", "address", box=None, pad_edge=False)
    if isinstance(endpoints, dict):
        for name, address in endpoints.items():
            table.add_row(name, str(address))
    console.print(table)
    console.print(
        "\nThe pods are [bold]simulated[/bold]: nothing answers at these addresses. Engine, policy "
        "pack, API server,\ncontrollers and scheduler are real. What to try next:\n"
        f"  export KUBECONFIG={stack.kubeconfig} PATH={stack.toolchain.bin_dir}:$PATH\n"
        f"  kubectl get pods,services,persistentvolumeclaims -n {plan.namespace}\n"
        "  make up PHASE=1      phases 2 to 4 go, the volumes stay\n"
        "  make plan            the same ledger for the forge, without a cluster\n"
        "  make down            nothing is left",
        highlight=False,
        soft_wrap=True,
    )
