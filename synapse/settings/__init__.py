"""The stack config: its shape, and its readers."""
