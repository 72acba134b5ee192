"""Access to a running cluster: its API server, and services behind it."""
