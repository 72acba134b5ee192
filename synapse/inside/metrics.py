"""The few metrics that alerts and dashboards use, under LiteLLM's names, for next to nothing.

LiteLLM's own callback costs a fifth of the throughput or more, whatever it is told to keep.
"""

from __future__ import annotations

from prometheus_client import (
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)

disable_created_metrics()  # a second series for each one that nobody reads

REQUESTS = Counter(
    "litellm_proxy_total_requests_metric",
    "Requests that were answered, by the model that was asked for.",
    ["requested_model", "status_code"],
)
FAILED = Counter(
    "litellm_proxy_failed_requests_metric",
    "Requests that ended in an error, those cut in mid-stream among them.",
    ["requested_model", "exception_status"],
)
FALLBACKS = Counter(
    "litellm_deployment_successful_fallbacks",
    "Requests that another model answered than the one asked for, and why.",
    ["requested_model", "fallback_model", "exception_class"],
)
FAILED_FALLBACKS = Counter(
    "litellm_deployment_failed_fallbacks",
    "Requests that the fallback could not answer either.",
    ["requested_model", "fallback_model"],
)
SECONDS = Histogram(
    "litellm_request_total_latency_metric",
    "Seconds from a request to the end of its answer.",
    ["requested_model"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),
)
FIRST_TOKEN_SECONDS = Histogram(
    "litellm_llm_api_time_to_first_token_metric",
    "Seconds from a request to the first piece of a streamed answer.",
    ["requested_model"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
IN_FLIGHT = Gauge("litellm_in_flight_requests", "Requests that are being answered.")
ENGINE_STATE = Gauge("litellm_deployment_state", "The engine: 0 healthy, 2 out.", ["model_group"])


def serve(port: int) -> None:
    """Answer scrapes on a port of its own, which the NetworkPolicy opens to Prometheus alone."""
    start_http_server(port)
