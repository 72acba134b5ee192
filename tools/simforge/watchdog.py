"""Destroys a simulated forge when the process that borrowed it is gone."""

import sys
from pathlib import Path

from tools.simforge.forge import Remains

if __name__ == "__main__":
    sys.stdin.buffer.read()  # until the other end is closed, or its process has ended
    Remains(Path(sys.argv[1])).destroy()
