"""The simulated forge: real API server, controller manager and scheduler; simulated pods."""

from tools.simforge.behaviour import Outcome
from tools.simforge.commands import PROGRAMS
from tools.simforge.errors import SimForgeError
from tools.simforge.forge import Remains, SimForge, Status
from tools.simforge.node import NODE_NAME, NodeSpec

# What a simulated forge needs of the toolchain.
SIMFORGE_PROGRAMS = (*PROGRAMS, "traefik-crds.yaml")

__all__ = [
    "NODE_NAME",
    "SIMFORGE_PROGRAMS",
    "NodeSpec",
    "Outcome",
    "Remains",
    "SimForge",
    "SimForgeError",
    "Status",
]
