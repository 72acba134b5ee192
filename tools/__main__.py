"""`python -m tools`: the toolchain and the simulated forge."""

from tools.cli import app

app()
