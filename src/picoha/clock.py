"""The one real clock, of the controller and of the agent: the only place that knows the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Tells the time of this computer."""

    def now(self) -> datetime:
        """Return this instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow, from an arbitrary start: for spans, never for dates."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; a span that is already over (zero or less) returns at once."""
        if seconds > 0:
            time.sleep(seconds)
