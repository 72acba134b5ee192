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
    VOICE_FAILED = "voice-failed"


@dataclass(eq=False)
class Passage:
    """One request.

    Attributes:
        asked_for: the route that was asked for, or OTHER_NAME.
        answered_by: the route that it was sent to; None: not routed yet.
        reason: why these two differ; None: they do not.
        avoid: set for the second try: why the one that was asked first is not asked again.
        at_engine: whether the engine is at work on it.
        at_voice: whether a voice is that may be away.
        has_second_try: whether somebody else is asked if these are given up now.
        interrupted: done when these are given up while nothing has been answered yet.
    """

    asked_for: str = OTHER_NAME
    answered_by: str | None = None
    reason: Reason | None = None
    avoid: Reason | None = None
    at_engine: bool = False
    at_voice: bool = False
    has_second_try: bool = False
    interrupted: asyncio.Future[Reason] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def may_give_way(self) -> bool:
        """Whether the backend at work on it can be given up for another."""
        return self.has_second_try and (self.at_engine or self.at_voice)

    def interrupt(self, reason: Reason) -> None:
        """Give the backend up, unless it has begun to answer or has been given up already."""
        if self.may_give_way:
            self.has_second_try = False
            self.interrupted.set_result(reason)


PASSAGE: ContextVar[Passage] = ContextVar("passage")
