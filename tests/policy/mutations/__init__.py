"""Mutations of our own stack: each makes it bad, and a rule has to see it.

`resources.yaml` changes one thing of what the program registers, `configs.yaml` one thing of what
it is told. A mutation that no rule can see names its reason in `slips`.
"""
