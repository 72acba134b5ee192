"""The pinned LiteLLM proxy and backends that stand in for its models, for tests and the bench."""
