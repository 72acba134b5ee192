"""What a swap did, step by step, and how long each step took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict


class Step(StrEnum):
    """The steps, in their order; the last three happen only in some swaps."""

    LEASE = "lease"
    DRAIN = "drain"
    SCALE_DOWN = "scale-down"
    GONE = "gone"
    SCALE_UP = "scale-up"
    MEMORY = "memory"
    READY = "ready"
    RELEASE = "release"
    HOLD = "hold"
    BACK = "back"


Ended = Literal["done", "failed"]
Outcome = Literal["swapped", "already", "went back", "failed"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepRecord(_Part):
    """One step."""

    step: Step
    what: str
    began_seconds: float
    took_seconds: float
    ended: Ended
    said: str = ""


class Timeline(_Part):
    """A whole swap; seconds count from its beginning."""

    source: str
    target: str
    began_at: datetime
    simulated: bool
    """No container ran: the pods' own stop and start took no time."""
    outcome: Outcome
    why: str = ""
    steps: tuple[StepRecord, ...]

    @property
    def way(self) -> tuple[str, ...]:
        """What had the GPU, one after the other."""
        came_back = any(one.step is Step.HOLD for one in self.steps)
        return (self.source, self.target, *([self.source] if came_back else []))

    @property
    def took_seconds(self) -> float:
        """From the first step's beginning to the last one's end."""
        return max((one.began_seconds + one.took_seconds for one in self.steps), default=0.0)


class Observer(Protocol):
    """Whoever watches a swap: a progress display, a test."""

    def began(self, step: Step, what: str) -> None:
        """A step begins."""

    def said(self, text: str) -> None:
        """Something about the step that runs."""

    def ended(self, record: StepRecord) -> None:
        """The step has ended."""


class Silent:
    """Watches nothing."""

    def began(self, step: Step, what: str) -> None:
        """Ignore it."""

    def said(self, text: str) -> None:
        """Ignore it."""

    def ended(self, record: StepRecord) -> None:
        """Ignore it."""


class Recorder:
    """Times the steps and passes them on."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._began = time.monotonic()
        self._said = ""
        self.began_at = datetime.now(UTC)
        self.steps: list[StepRecord] = []

    @contextmanager
    def step(self, step: Step, what: str) -> Iterator[None]:
        """Time a block as a step."""
        began = time.monotonic()
        self._said = ""
        ended: Ended = "failed"
        self._observer.began(step, what)
        try:
            yield
            ended = "done"
        finally:
            now = time.monotonic()
            record = StepRecord(
                step=step,
                what=what,
                began_seconds=began - self._began,
                took_seconds=now - began,
                ended=ended,
                said=self._said,
            )
            self.steps.append(record)
            self._observer.ended(record)

    def say(self, text: str) -> None:
        """Say how the step stands; what was said last is recorded."""
        if text != self._said:
            self._said = text
            self._observer.said(text)
