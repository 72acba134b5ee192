"""`pulumi preview` of the whole stack, beside the bare program."""

from rich.progress import Progress

from tools.bench.case import BenchCase
from tools.bench.errors import BenchError
from tools.bench.figures import Row, ratio
from tools.bench.objects import StackObjects
from tools.bench.steps import Steps
from tools.sim_stack import SimStack

PLAIN_LIMIT = 1.25
POLICIES_LIMIT = 1.6


async def measure(
    case: BenchCase, objects: StackObjects, runs: int, progress: Progress
) -> list[Row]:
    """Preview an empty stack: bare, ours, ours with the policy pack; then again.

    Raises:
        BenchError: a preview fails, or the two programs do not register the same objects.
    """
    bare_seconds: list[float] = []
    ours_seconds: list[float] = []
    judged_seconds: list[float] = []
    task = progress.add_task("previews", total=3 * runs + 1)
    with case.fresh_forge() as forge:
        bare = await case.fresh_stack("bare", forge, case.bare_program(objects))
        ours = await case.fresh_stack("ours", forge)
        await _compare(case, bare, ours)
        progress.advance(task)
        for _ in range(runs):
            for stack, policies, seconds in (
                (bare, False, bare_seconds),
                (ours, False, ours_seconds),
                (ours, True, judged_seconds),
            ):
                done = await case.pulumi(stack, "preview", policies=policies)
                seconds.append(done.seconds)
                progress.advance(task)
    return [
        ratio("pulumi preview ÷ bare program", ours_seconds, bare_seconds, PLAIN_LIMIT),
        ratio(
            "pulumi preview with the policy pack ÷ bare program",
            judged_seconds,
            bare_seconds,
            POLICIES_LIMIT,
        ),
    ]


async def _compare(case: BenchCase, bare: SimStack, ours: SimStack) -> None:
    """One preview of each, not timed: it warms all caches, and shows that the pair is fair."""
    of_bare, of_ours = Steps(), Steps()
    for stack, policies, steps in ((bare, False, of_bare), (ours, True, of_ours)):
        await case.pulumi(stack, "preview", "--json", policies=policies, seen=steps.see)
    different = set(of_bare.ended_at) ^ set(of_ours.ended_at)
    if different or not of_ours.ended_at:
        listed = ", ".join(sorted(different)) or "none at all"
        raise BenchError(f"the bare program and the stack register different objects: {listed}")
