"""`python -m synapse`."""

import gc
import os

# Pydantic looks through all installed packages for plugins of its own; there are none.
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
gc.disable()  # there is no garbage among the thousands of things that modules make

from synapse.console.app import main

gc.freeze()  # they stay: nobody need look through them again
gc.enable()

if __name__ == "__main__":
    main()
