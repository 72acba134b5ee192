"""`pulumi up` from nothing to phase 3, beside `kubectl apply` of the same manifests."""

from dataclasses import dataclass

from rich.progress import Progress

from tools.bench.case import BenchCase
from tools.bench.figures import Awaited, Row, difference, slowest_awaiter
from tools.bench.objects import StackObjects, read_export
from tools.bench.readiness import watching
from tools.bench.steps import Steps
from tools.sim_stack import SimStack
from tools.simforge import SimForge

MORE_THAN_KUBECTL_LIMIT_SECONDS = 6.0
AWAITER_LIMIT_SECONDS = 2.0
_READY_LIMIT = "--timeout=120s"


@dataclass(frozen=True)
class Up:
    """One `pulumi up`: its time, the update's part in it, and what it awaited."""

    seconds: float
    update_seconds: float
    awaited: dict[str, Awaited]


async def learn_objects(case: BenchCase, progress: Progress) -> StackObjects:
    """Deploy the stack once, not timed, and read what it consists of.

    Raises:
        BenchError: it does not come up.
    """
    task = progress.add_task("first deployment, not timed", total=1)
    with case.fresh_forge() as forge:
        stack = await case.fresh_stack("ours", forge)
        await case.pulumi(stack, "up", "--yes", "--skip-preview")
        objects = read_export(await case.export(stack))
    progress.advance(task)
    return objects


async def measure(
    case: BenchCase, objects: StackObjects, runs: int, progress: Progress
) -> tuple[list[Row], list[dict[str, Awaited]]]:
    """Deploy to fresh clusters: by Pulumi, by kubectl; then again.

    Returns:
        The rows, and what each run of Pulumi awaited.

    Raises:
        BenchError: a deployment fails.
    """
    task = progress.add_task("deployments", total=2 * runs)
    ups, applied_seconds = [], []
    for _ in range(runs):
        with case.fresh_forge() as forge:
            ups.append(await _up(case, await case.fresh_stack("ours", forge), forge, objects))
        progress.advance(task)
        with case.fresh_forge() as forge:
            applied_seconds.append(await _apply(case, forge, objects))
        progress.advance(task)
    awaited = [up.awaited for up in ups]
    rows = [
        difference(
            "pulumi up 0 → 3 less kubectl apply until ready",
            [up.seconds for up in ups],
            applied_seconds,
            MORE_THAN_KUBECTL_LIMIT_SECONDS,
        ),
        difference(
            "of it the update, without its preview",
            [up.update_seconds for up in ups],
            applied_seconds,
            None,
        ),
        slowest_awaiter("slowest awaiter beyond readiness", awaited, AWAITER_LIMIT_SECONDS),
    ]
    return rows, awaited


async def _up(case: BenchCase, stack: SimStack, forge: SimForge, objects: StackObjects) -> Up:
    steps = Steps()
    async with watching(forge.api(), objects.objects) as watch:
        done = await case.pulumi(stack, "up", "--yes", "--json", seen=steps.see)
        await watch.wait_for(steps.ended_at)
    awaited = {
        name: Awaited(
            name,
            own_seconds=ended - steps.begun_at[name],
            beyond_seconds=max(0.0, ended - watch.ready_at[name]),
        )
        for name, ended in steps.ended_at.items()
    }
    return Up(done.seconds, done.ended_at - steps.update_begun_at, awaited)


async def _apply(case: BenchCase, forge: SimForge, objects: StackObjects) -> float:
    """Namespace first, then all; Deployments available, Jobs complete. Returns the seconds."""
    apply = ("apply", "-f", "-")
    wait = ("wait", f"--namespace={objects.namespace}", "--all", _READY_LIMIT)
    commands: list[tuple[tuple[str, ...], str | None]] = [
        (apply, objects.manifests(namespaces=True)),
        (apply, objects.manifests(namespaces=False)),
        ((*wait, "--for=condition=Available", "deployment"), None),
        ((*wait, "--for=condition=Complete", "job"), None),
    ]
    return sum([(await case.kubectl(forge, *line, stdin=told)).seconds for line, told in commands])
