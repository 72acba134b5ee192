"""Build the policy pack. Nothing here may print: the engine reads the first line as a port."""

import gc
import os
import sys
from pathlib import Path

# Pydantic looks through all installed packages for plugins of its own; there are none.
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
gc.disable()  # there is no garbage among the thousands of things that modules make

from pulumi_policy import PolicyPack

# The pack runs in its own directory. Where `synapse` is not installed, it lies beside that.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from synapse_policy.pack import NAME, POLICIES
from synapse_policy.read_once import read_once

gc.freeze()  # they stay: nobody need look through them again
gc.enable()
read_once()
PolicyPack(NAME, list(POLICIES))
