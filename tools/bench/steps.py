"""The engine's steps, read from its events as they come.

The engine's own timestamps are whole seconds, so the arrival of an event is taken.
"""

import json
import time
from dataclasses import dataclass, field


@dataclass
class Steps:
    """The engine's steps on the cluster's objects, as its events come.

    Attributes:
        update_begun_at: `time.perf_counter()` of the update's first event, after the preview's.
        begun_at: of the beginning of each object's step, by `Kind name`.
        ended_at: of its end.
    """

    update_begun_at: float = 0.0
    begun_at: dict[str, float] = field(default_factory=dict)
    ended_at: dict[str, float] = field(default_factory=dict)
    _begun_at_by_urn: dict[str, float] = field(default_factory=dict)

    def see(self, line: str) -> None:
        """Take in one event of `pulumi up --json` or `pulumi preview --json`."""
        event = json.loads(line)
        now = time.perf_counter()
        if "preludeEvent" in event:  # of the preview, then of the update
            self.update_begun_at = now
            for seen in (self.begun_at, self.ended_at, self._begun_at_by_urn):
                seen.clear()
        elif "resourcePreEvent" in event:
            self._begun_at_by_urn.setdefault(event["resourcePreEvent"]["metadata"]["urn"], now)
        elif "resOutputsEvent" in event:
            metadata = event["resOutputsEvent"]["metadata"]
            if metadata["type"].startswith("kubernetes:"):
                kind = metadata["type"].rsplit(":", 1)[1]
                name = f"{kind} {metadata['new']['inputs']['metadata']['name']}"
                self.begun_at[name] = self._begun_at_by_urn[metadata["urn"]]
                self.ended_at[name] = now
