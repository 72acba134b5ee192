"""What LiteLLM does in every request, and nobody here needs: two fifths of its time.

An upgrade that drops one of these names ends the start, which the tests see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import fastapi.dependencies.utils
import httpx
import litellm.main
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from litellm import Router
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.proxy.auth.route_checks import RouteChecks
from litellm.proxy.auth.user_api_key_auth import user_api_key_auth
from litellm.proxy.hooks import PROXY_HOOKS
from litellm.proxy.middleware.admission_control_middleware import AdmissionControlMiddleware
from litellm.proxy.middleware.billable_request_metrics_middleware import (
    BillableRequestMetricsMiddleware,
)
from litellm.proxy.middleware.budget_reservation_release_middleware import (
    BudgetReservationReleaseMiddleware,
)
from litellm.proxy.middleware.in_flight_requests_middleware import InFlightRequestsMiddleware
from litellm.proxy.middleware.prometheus_auth_middleware import PrometheusAuthMiddleware
from litellm.proxy.middleware.redis_request_batch_middleware import RedisRequestBatchMiddleware
from litellm.proxy.middleware.request_size_limit_middleware import RequestSizeLimitMiddleware

from .auth import admit

_PATHS = 256
# Limits and bills that nobody set, Redis, and metrics under a path that is not there.
_IDLE_MIDDLEWARE = frozenset(
    {
        AdmissionControlMiddleware,
        BillableRequestMetricsMiddleware,
        BudgetReservationReleaseMiddleware,
        InFlightRequestsMiddleware,
        PrometheusAuthMiddleware,
        RedisRequestBatchMiddleware,
        RequestSizeLimitMiddleware,
    }
)
_MAKES_A_COROUTINE = frozenset({litellm.main.completion, litellm.main.embedding})


def leave_out(app: FastAPI) -> None:
    """Put next to nothing in its place. The layers around the application have to be built anew.

    Raises:
        AttributeError: LiteLLM has another name for it.
    """
    # Nobody pays for an answer: it need not be looked up in LiteLLM's price lists.
    _replace(Logging, "response_cost_calculator", _no_price)
    # No route has a limit of requests or tokens in a minute.
    _replace(Router, "increment_deployment_usage_for_response", _count_nothing)
    # Limits of a key, of a session or an agent's run; there is one key, and none is set.
    PROXY_HOOKS.clear()
    # Whether a path is an administrator's follows from it alone, by hundreds of patterns.
    judge = lru_cache(_PATHS)(RouteChecks.is_management_route)
    _replace(RouteChecks, "is_management_route", staticmethod(judge))
    # No backend is asked in another language than the one that it is known to speak.
    _replace(litellm.main, "responses_api_bridge_check", _no_bridge)
    # No backend sets cookies, and one caller's would be sent along with another's question.
    _replace(httpx.Cookies, "extract_cookies", _take_no_cookies)
    # Budgets, teams and rights of the one key, which the edge has seen.
    app.dependency_overrides[user_api_key_auth] = admit
    _replace(fastapi.dependencies.utils, "get_dependant", _remembered_dependants())
    app.user_middleware = [one for one in app.user_middleware if one.cls not in _IDLE_MIDDLEWARE]
    asyncio.get_running_loop().set_default_executor(_Threads())


def _replace(holder: type | ModuleType, name: str, replacement: object) -> None:
    getattr(holder, name)
    setattr(holder, name, replacement)


def _no_price(*_: object, **__: object) -> float:
    return 0.0


async def _count_nothing(*_: object, **__: object) -> None:
    pass


def _no_bridge(model: str, *_: object, **__: object) -> tuple[dict[str, object], str]:
    return {}, model


def _take_no_cookies(*_: object) -> None:
    pass


def _remembered_dependants() -> Callable[..., Dependant]:
    """FastAPI's reader of signatures, which it asks in each request once one is overridden."""
    read = fastapi.dependencies.utils.get_dependant
    known: dict[tuple[object, ...], Dependant] = {}

    def dependant(**options: Any) -> Dependant:  # noqa: ANN401  FastAPI's own
        key = tuple(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in options.items()
        )
        if key not in known:
            known[key] = read(**options)
        return known[key]

    return dependant


class _Threads(ThreadPoolExecutor):
    """The event loop's, but for calls of LiteLLM's that only make a coroutine.

    To wake a thread for one and to hear back from it takes longer than the call.
    """

    def submit(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,  # noqa: ANN401  as the base class has it
        **kwargs: Any,  # noqa: ANN401
    ) -> Future[Any]:
        """Run the one at once, the other in a thread."""
        if not _only_makes_a_coroutine(fn):
            return super().submit(fn, *args, **kwargs)
        made: Future[Any] = Future()
        try:
            made.set_result(fn())
        except Exception as error:  # noqa: BLE001  it is the caller's, as if it came from a thread
            made.set_exception(error)
        return made


def _only_makes_a_coroutine(call: Callable[..., Any]) -> bool:
    """Whether it is LiteLLM's `completion` or `embedding`, called in a copy of the context."""
    asked = call.args[0] if isinstance(call, partial) and call.args else None
    return isinstance(asked, partial) and asked.func in _MAKES_A_COROUTINE
