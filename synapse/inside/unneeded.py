"""What LiteLLM does in every request, and nobody here needs: a fifth of its time.

An upgrade that drops one of these names ends the start, which the tests see.
"""

from __future__ import annotations

from functools import lru_cache

from litellm import Router
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.proxy.auth.route_checks import RouteChecks
from litellm.proxy.hooks import PROXY_HOOKS

_PATHS = 256


def leave_out() -> None:
    """Put next to nothing in its place.

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


def _replace(holder: type, name: str, replacement: object) -> None:
    getattr(holder, name)
    setattr(holder, name, replacement)


def _no_price(*_: object, **__: object) -> float:
    return 0.0


async def _count_nothing(*_: object, **__: object) -> None:
    pass
