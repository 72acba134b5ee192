"""One request on its way through the proxy, as the edge, the routing and the watch see it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

OTHER_NAME = "other"
"""Stands for every name that is no route: a caller must not be able to make series."""


class Reason(StrEnum):
    """Why another model answers than the one asked for: in the response's header, and counted."""

    UNKNOWN_MODEL = "unknown-model"
    ENGINE_DOWN = "engine-down"
    ENGINE_FAILED = "engine-failed"
    ENGINE_SLOW = "engine-slow"


@dataclass(eq=False)
class Passage:
    """One request.

    Attributes:
        asked_for: the route that was asked for, or OTHER_NAME.
        answered_by: the route that it was sent to; None: not routed yet.
        reason: why these two differ; None: they do not.
        avoid_engine: set for the second try, if the engine kept the first one waiting.
        at_engine: whether the engine is at work on it.
        interrupted: done when the engine is given up while nothing has been answered yet.
    """

    asked_for: str = OTHER_NAME
    answered_by: str | None = None
    reason: Reason | None = None
    avoid_engine: Reason | None = None
    at_engine: bool = False
    interrupted: asyncio.Future[Reason] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def interrupt(self, reason: Reason) -> None:
        """Give the engine up, unless it has begun to answer or has been given up already."""
        if self.at_engine and not self.interrupted.done():
            self.interrupted.set_result(reason)


PASSAGE: ContextVar[Passage] = ContextVar("passage")
