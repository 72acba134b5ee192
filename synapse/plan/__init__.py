"""The plan: all arithmetic, pure and serialisable."""
