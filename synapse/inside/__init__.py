"""What runs inside the LiteLLM proxy: mounted into its pods, and imported by it alone.

It runs on the interpreter and the packages of LiteLLM's image, so it imports nothing of the rest
of Synapse and nothing that LiteLLM does not bring. Why it is there: docs/decisions/0010.
"""
