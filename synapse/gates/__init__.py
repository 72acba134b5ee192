"""Go or no-go: what must be true before a phase is entered, one named check a function."""
