"""`pulumi preview` of the whole stack, beside the bare program."""

import json
from collections import Counter

from rich.progress import Progress

from tools.bench.case import BenchCase
from tools.bench.errors import BenchError
from tools.bench.figures import Row, ratio
from tools.bench.objects import StackObjects
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
    bare_seconds, ours_seconds, judged_seconds = [], [], []
    task = progress.add_task("previews", total=3 * runs + 3)
    with case.fresh_forge() as forge:
        connected = objects.connected_by(forge.kubeconfig)
        bare = await case.fresh_stack("bare", forge, case.bare_program(connected))
        ours = await case.fresh_stack("ours", forge)
        await _compare(case, bare, ours)
        for _ in range(3):
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
    registered = []
    for stack, policies in ((bare, False), (ours, True)):
        done = await case.pulumi(stack, "preview", "--json", policies=policies)
        types = (step["newState"]["type"] for step in json.loads(done.out)["steps"])
        registered.append(Counter(type_ for type_ in types if "kubernetes" in type_))
    if registered[0] != registered[1]:
        raise BenchError(
            "the bare program and the stack do not register the same objects: "
            f"{registered[0] ^ registered[1]}"
        )
