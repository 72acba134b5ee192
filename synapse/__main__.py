"""`python -m synapse`."""

from synapse.console.app import main

if __name__ == "__main__":
    main()
