"""LiteLLM's start-up hook: the edge around it, the engine's watch, and the metrics."""

from __future__ import annotations

import asyncio

from litellm.proxy.proxy_server import app

from . import metrics, unneeded
from .edge import Edge
from .engine_watch import engine_watch
from .told import accepted_keys, told

_running: set[asyncio.Task[None]] = set()


async def start() -> None:
    """Run in each worker, before LiteLLM reads its config and takes requests.

    Raises:
        RuntimeError: there is no key, or LiteLLM is not built as it was; the proxy does not start.
    """
    if not accepted_keys():
        raise RuntimeError("LITELLM_MASTER_KEY is not set: nobody could call, or everybody")
    if app.middleware_stack is None:
        raise RuntimeError("LiteLLM has not built its application yet: the edge has no place")
    unneeded.leave_out(app)
    app.middleware_stack = Edge(app.build_middleware_stack())
    _running.add(asyncio.create_task(engine_watch().check_forever()))
    if (port := told().metrics_port) is not None:
        metrics.serve(port)
