"""A private LLM stack on one GPU machine, proven to fit before anything is touched."""
