"""Where `picoha verify` gets its records: a cell's table, or a story played on the desk."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from picoha import bootstrap
from picoha.adapters.aws.clock import SystemClock
from picoha.adapters.desk.story import read_story
from picoha.app.verify import verify
from picoha.domain.policy import Policy
from picoha.entrypoints.drill import run


def of_story(path: Path) -> list[str]:
    """Return what a story's records and the referee's truth break; raises SettingsInvalid."""
    return run(read_story(path)).violations


def of_cell(cell: str, hours: float) -> list[str]:
    """Return what a cell's records of the last `hours` break; raises MemoryUnreadable."""
    now = SystemClock().now()
    ledger = bootstrap.memory(cell).ledger(now - timedelta(hours=hours), now)
    return verify(ledger, Policy(), now)
