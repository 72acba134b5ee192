"""Hands the GPU from chat to speech and back: one at a time, measured, and reversible."""
