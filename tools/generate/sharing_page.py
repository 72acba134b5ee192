"""docs/TTS-GPU-SHARING.md: the GPU's states and the ways between them, by the plan's numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from synapse.catalogue import load_catalogue
from synapse.names import STT, TTS
from synapse.plan import phases
from synapse.plan.build import make_plan
from synapse.plan.model import GpuState, Plan, Transition
from synapse.settings.load import parse, without_prefix

_HEAD = """\
# Speech and chat on one GPU

What this machine's one GPU holds, by the plan of `Pulumi.forge.yaml` with the licence of XTTS
acknowledged. This page is made by `python -m tools.generate`; do not edit it. `python -m synapse
plan` prints the same sums for your own config.

`gpu.sharing` has two values:

- **exclusive** (the forge's): each GPU pod claims the whole device, so the scheduler itself keeps
  the other one out. `python -m synapse swap speech` and `swap chat` hand it over.
- **concurrent**: the device plugin offers the device several times (time-slicing), and all run at
  once. It isolates no memory, so it is refused unless every state and transition fits.
"""
_WAIT = """\
## What keeps the sums true on the machine

A sum is a promise; memory is measured. Every GPU pod first runs `wait-for-vram`, in an init
container and again before the program itself, since an init container does not run again when a
container restarts. It asks `nvidia-smi` inside the pod until as much memory is free as the plan
gives the workload, and becomes the server only then. After 300 s it gives up and says what it saw.
A garbled or late answer counts as not free, and a missing nvidia-smi is said at once.

The replicas of the two belong to the swap once they are created: `pulumi up` and `pulumi refresh`
after a swap change nothing. Leaving phase 4 while speech has the GPU would leave chat at 0
replicas, so `pulumi up` refuses it: run `python -m synapse swap chat` first.
"""
_STATES = "| state | phases | on the GPU | GiB | of |\n|---|---|---|---|---|"
_WAYS = (
    "\n| from | to | phases | leaves | stays | enters | peak GiB |\n|---|---|---|---|---|---|---|"
)
_NOBODY = "-"
_RECORD, _PICTURE = "swap-timeline.json", "swap-timeline.svg"


def sharing_page(root: Path) -> str:
    """Return the page for the repository's forge."""
    in_turn, together = _plan(root, "exclusive"), _plan(root, "concurrent")
    return "\n".join(
        [
            _HEAD,
            *_sharing("In turn (exclusive)", in_turn),
            *_sharing("Together (concurrent)", together),
            *_together_is_not_free(in_turn, together),
            _WAIT,
            *_answers(in_turn),
            *_timeline(root),
        ]
    )


def _plan(root: Path, sharing: str) -> Plan:
    text = (root / "Pulumi.forge.yaml").read_text(encoding="utf-8")
    config = cast(dict[str, dict[str, Any]], without_prefix(yaml.safe_load(text)["config"]))
    config["gpu"]["sharing"] = sharing
    acknowledged = {"by": "this page", "date": "2026-11-22"}
    config["speech"]["tts"]["licence_acknowledged"] = acknowledged
    return make_plan(parse(config), load_catalogue())


def _sharing(title: str, plan: Plan) -> Iterator[str]:
    states = [one for one in plan.states if max(one.phases) >= phases.SPEECH]
    names = {state.name for state in states}
    ways = [
        one for one in plan.transitions if one.target in names and max(one.phases) >= phases.SPEECH
    ]
    yield f"## {title}\n"
    yield _STATES
    yield from (_state(state, plan) for state in states)
    yield _WAYS
    yield from map(_way, ways)
    yield ""


def _state(state: GpuState, plan: Plan) -> str:
    members = " + ".join(member.formula for member in state.members)
    return (
        f"| {state.name} | {_numbers(state.phases)} | {members} | {state.sum_gib:.1f} | "
        f"{plan.gpu.ceiling_gib:.1f} |"
    )


def _way(way: Transition) -> str:
    stays = ", ".join(member.workload for member in way.stays)
    cells = [
        way.source,
        way.target,
        _numbers(way.phases),
        ", ".join(way.leaves),
        stays,
        ", ".join(way.enters),
    ]
    return "| " + " | ".join(cell or _NOBODY for cell in cells) + f" | {way.peak_gib:.1f} |"


def _numbers(numbers: tuple[int, ...]) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _together_is_not_free(in_turn: Plan, together: Plan) -> Iterator[str]:
    yield (
        f"Together the device plugin offers {together.gpu.devices} claims. The engine gets "
        f"{together.engine.gpu_memory_utilization:.2f} of the GPU, beside {TTS}'s "
        f"{together.workload(TTS).vram_gib:g} GiB; its cache for the same model holds "
        f"{together.engine.kv_tokens:,} tokens."
    )
    alone_gib = in_turn.gpu.ceiling_gib - in_turn.engine.outside_gib
    yield (
        f"In turn nothing but the old services of phases 2 and 3 bounds it: once those are "
        f"retired (`retired_on`), up to {alone_gib:.1f} GiB are the engine's."
    )
    refused = [
        one
        for one in together.verdicts
        if not one.fits and one.severity == "refuse" and max(one.phases) >= phases.SPEECH
    ]
    for one in refused[:1]:
        yield (
            f"On this forge it is refused by RAM, not by VRAM, as both pods run at once: "
            f"`{one.rule}, {one.scope}: {one.sum}`; {one.cure}."
        )
    yield ""


def _answers(plan: Plan) -> Iterator[str]:
    yield "## Who answers in which state\n"
    yield "| name | chat has the GPU | speech has the GPU |\n|---|---|---|"
    for route in plan.gateway.routes_in(phases.SPEECH):
        in_chat = route.fallback if route.backend == "coqui" else None
        in_speech = route.fallback if route.backend == "engine" else None
        own = plan.engine.service if route.backend == "engine" else _server(route.backend)
        by_fallback = "{} (fallback)".format
        yield (
            f"| `{route.name}` | {by_fallback(in_chat) if in_chat else own} | "
            f"{by_fallback(in_speech) if in_speech else own} |"
        )
    yield (
        f"\nNo chat name stands in for a voice, and a voice is mapped to one that the answering "
        f"server has. Whisper is `{plan.speech.stt.model}` on the {plan.speech.stt.device}: "
        f"{plan.speech.stt.formula}.\n"
    )


def _server(backend: str) -> str:
    return {"coqui": TTS, "speaches": STT}.get(backend, backend)


def _timeline(root: Path) -> Iterator[str]:
    if (root / "docs" / _RECORD).exists():
        yield f"## A swap, recorded\n\n![steps of a swap and the time each took]({_PICTURE})\n"
