"""`python -m synapse`."""

import gc

gc.disable()  # there is no garbage among the thousands of things that modules make

from synapse.console.app import main

gc.freeze()  # they stay: nobody need look through them again
gc.enable()

if __name__ == "__main__":
    main()
