"""The virtual time of a drill, behind the ports' `Clock`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from picoha.fakeaws.scheduler import Scheduler

if TYPE_CHECKING:
    pass


class DrillClock:
    """The kernel's time as the ports want it, for the controller and for agents."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> datetime:
        """Return the virtual instant."""
        return self._scheduler.now

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self._scheduler.elapsed

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._scheduler.sleep(seconds)
