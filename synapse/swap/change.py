"""What a swap is to do, by the plan: who leaves, who enters, and whether that fits."""

from dataclasses import dataclass
from enum import StrEnum

from synapse.names import TTS
from synapse.plan.model import GpuState, Plan, Transition, Verdict
from synapse.swap.errors import SwapError


class Target(StrEnum):
    """What has the GPU."""

    CHAT = "chat"
    SPEECH = "speech"

    @property
    def other(self) -> "Target":
        """Where the GPU comes from."""
        return Target.SPEECH if self is Target.CHAT else Target.CHAT


@dataclass(frozen=True)
class Change:
    """The way from one GPU state of the plan to another."""

    namespace: str
    target: Target
    source: Target
    leaves: tuple[str, ...]
    enters: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    """The ledger's lines about both states and the way between them."""

    @property
    def workloads(self) -> tuple[str, ...]:
        """The Deployments whose replicas the swap owns."""
        return (*self.leaves, *self.enters)


def plan_change(plan: Plan, target: Target) -> Change:
    """Find the change in the ledger.

    Raises:
        SwapError: there is nothing to swap in this plan, or the ledger refuses it.
    """
    states = {name: _state(plan, name) for name in Target}
    if plan.gpu.sharing == "concurrent":
        raise SwapError(
            "synapse:gpu.sharing = concurrent: chat and speech are on the GPU together, "
            "there is nothing to swap",
            "set synapse:gpu.sharing to exclusive if they should take turns",
        )
    speaks_from = next((min(one.phases) for one in plan.workloads if one.name == TTS), None)
    if speaks_from is None:
        raise SwapError(
            f"the plan has no {TTS}, so nothing takes turns with the engine",
            "see synapse:speech.tts: its kind, and the licence that it asks to acknowledge",
        )
    if not all(states.values()):
        raise SwapError(
            f"synapse:phase = {plan.phase}: {TTS} comes with phase {speaks_from}",
            f"bring it with `pulumi up -c synapse:phase={speaks_from}`",
        )
    wanted = states[target]
    way = _transition(plan, states, target)
    if way is None or wanted is None:
        raise SwapError(
            f"the plan knows no way to {target}", "see the states with `python -m synapse plan`"
        )
    change = Change(
        namespace=plan.namespace,
        target=target,
        source=target.other,
        leaves=_own(way.leaves),
        enters=_own(way.enters),
        verdicts=tuple(one for one in plan.verdicts if _is_about(one, plan, way)),
    )
    refused = [one for one in change.verdicts if not one.fits and one.severity == "refuse"]
    if refused:
        raise SwapError(
            f"the ledger refuses {target}: {refused[0].scope}: {refused[0].sum}", refused[0].cure
        )
    return change


def _state(plan: Plan, name: Target) -> GpuState | None:
    """The state of the phase in which this one alone, beside old services, has the GPU."""
    mine, other = plan.engine.service, TTS
    if name is Target.SPEECH:
        mine, other = other, mine
    for state in plan.states:
        members = {member.workload for member in state.members}
        if plan.phase in state.phases and mine in members and other not in members:
            return state
    return None


def _transition(
    plan: Plan, states: dict[Target, GpuState | None], target: Target
) -> Transition | None:
    names = {name: state.name for name, state in states.items() if state}
    for way in plan.transitions:
        if (
            plan.phase in way.phases
            and way.target == names.get(target)
            and way.source in names.values()
        ):
            return way
    return None


def _own(workloads: tuple[str, ...]) -> tuple[str, ...]:
    """Without the old services, `namespace/name`: those are not the swap's."""
    return tuple(name for name in workloads if "/" not in name)


def _is_about(verdict: Verdict, plan: Plan, way: Transition) -> bool:
    scopes = (
        f"state {way.source!r}",
        f"{way.source!r} → {way.target!r}",
        f"state {way.target!r}",
    )
    return plan.phase in verdict.phases and verdict.scope in scopes
