"""The virtual time of a drill, behind the ports' `Clock`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from picoha.fakeaws.scheduler import Kernel

if TYPE_CHECKING:
    pass


class DeskClock:
    """The kernel's time as the ports want it, for the controller and for agents."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def now(self) -> datetime:
        """Return the virtual instant."""
        return self._kernel.now

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self._kernel.elapsed

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._kernel.sleep(seconds)
