"""The six phases: what each brings, and which are built."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """One step of the way, cumulative: phase 3 holds phases 1 and 2."""

    number: int
    title: str
    brings: str
    built: bool


PHASES = (
    Phase(1, "Ollama", "namespace, volumes, Ollama on the CPU, a pull Job a model", built=True),
    Phase(2, "Engine", "the engine on the GPU, its cache volume and download", built=True),
    Phase(3, "Gateway", "LiteLLM, routes, fallback, keys, ingress, daily restart", built=True),
    Phase(4, "Speech", "text to speech and back, GPU time-sharing", built=True),
    Phase(5, "Monitoring", "Prometheus, Grafana, DCGM, rules, dashboards", built=False),
    Phase(6, "Decommission", "old services retired, backups", built=False),
)
NUMBERS = tuple(phase.number for phase in PHASES)
OLLAMA, ENGINE, GATEWAY, SPEECH, MONITORING, DECOMMISSION = NUMBERS
HIGHEST_BUILT = max(phase.number for phase in PHASES if phase.built)


def from_phase(number: int) -> tuple[int, ...]:
    """Return this phase and all later ones."""
    return tuple(other for other in NUMBERS if other >= number)


def rolled_back_to(number: int) -> tuple[int, ...]:
    """Return this phase and those whose pods are still there while it is rolled back to."""
    return (number, *(other for other in NUMBERS if number < other <= HIGHEST_BUILT))


def before_phase(number: int) -> tuple[int, ...]:
    """Return all earlier phases."""
    return tuple(other for other in NUMBERS if other < number)
