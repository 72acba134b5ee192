"""`python -m synapse …`: thin commands that show the plan and ask the cluster."""
