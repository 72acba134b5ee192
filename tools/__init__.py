"""What the tests and the simulated forge need; nothing that a deployed stack runs."""
