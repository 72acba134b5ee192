"""What the policy pack adds to a preview, by the number of resources."""

import asyncio
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import linear_regression

from rich.progress import Progress

from tools.bench.case import PHASE, SETTINGS, BenchCase
from tools.bench.figures import Row, Unit, difference
from tools.bench.objects import StackObject, StackObjects
from tools.sim_stack import SimStack

FIXED_LIMIT_SECONDS = 1.5
LIMIT_MILLISECONDS_A_RESOURCE = 10.0
_SIZES = (50, 200, 500)
_NO_CLUSTER = {"render_yaml_to_directory": "rendered"}


async def measure(
    case: BenchCase, objects: StackObjects, runs: int, progress: Progress
) -> list[Row]:
    """Preview bare programs of several sizes, without the pack and with it; then again.

    A program holds as many copies of the deployed stack as come nearest to its size, each in a
    namespace of its own. It has no Synapse root, so the rules judge it as anybody's.

    Raises:
        BenchError: a preview fails, or the pack refuses what it accepts in the stack itself.
    """
    stacks = {}
    for size in _SIZES:
        copies = max(1, round(size / len(objects.objects)))
        program = copied(objects, copies)
        stacks[len(program.objects)] = await _stack(case, f"copies-{copies}", program)
    task = progress.add_task("previews by size", total=2 * (runs + 1) * len(stacks))
    added: dict[int, list[tuple[float, float]]] = {size: [] for size in stacks}
    for run in range(runs + 1):
        for size, stack in stacks.items():
            pair = []
            for policies in (True, False):
                done = await case.pulumi(stack, "preview", policies=policies)
                pair.append(done.seconds)
                progress.advance(task)
            if run:  # the first warms all caches
                added[size].append((pair[0], pair[1]))
    return rows(added)


def rows(seconds: Mapping[int, Sequence[tuple[float, float]]]) -> list[Row]:
    """Make the table's lines of the runs, with and without the pack, by number of resources."""
    of_sizes = [
        difference(
            f"preview of {size} resources with the policy pack less without",
            [judged for judged, _ in pairs],
            [plain for _, plain in pairs],
            FIXED_LIMIT_SECONDS + LIMIT_MILLISECONDS_A_RESOURCE / 1000 * size,
        )
        for size, pairs in seconds.items()
    ]
    lines = [
        linear_regression(list(seconds), [row.figures[run] for row in of_sizes])
        for run in range(len(of_sizes[0].figures))
    ]
    fixed = tuple(line.intercept for line in lines)
    each = tuple(1000 * line.slope for line in lines)
    return [
        *of_sizes,
        Row("of it fixed (least squares)", (), (), fixed, Unit.SECONDS, None),
        Row("of it for a resource (least squares)", (), (), each, Unit.MILLISECONDS, None),
    ]


def copied(objects: StackObjects, copies: int) -> StackObjects:
    """Return a stack that holds this one several times, each time in another namespace.

    What belongs to no namespace is there once.
    """
    found = list(objects.objects)
    for copy in range(2, copies + 1):
        found += [
            _in_namespace(one, objects.namespace, f"{objects.namespace}-{copy}")
            for one in objects.objects
            if one.manifest["kind"] == "Namespace" or "namespace" in one.manifest["metadata"]
        ]
    return replace(objects, provider=_NO_CLUSTER, objects=found)


def _in_namespace(one: StackObject, before: str, after: str) -> StackObject:
    """Names in URLs and selectors are the namespace's as well."""
    manifest = json.loads(json.dumps(one.manifest).replace(before, after))
    return replace(one, name=f"{one.name}-{after}", manifest=manifest)


async def _stack(case: BenchCase, name: str, objects: StackObjects) -> SimStack:
    folder = case.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    program = case.bare_program(objects, f"{name}-program")
    stack = SimStack(folder, case.toolchain, Path("no-kubeconfig"), program)
    await asyncio.to_thread(stack.prepare, SETTINGS, PHASE, {"kind": "cluster"})
    return stack
