"""Where commands get a period's records: a cell's table, or a story played in a drill."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from picoha import bootstrap
from picoha.app.errors import MemoryUnreadable
from picoha.cli.client import Client, DeployedOperator, caller
from picoha.clock import SystemClock
from picoha.domain.record import HistoryRow
from picoha.drills.drill import played, run
from picoha.drills.story import read_story


def of_story(path: Path) -> list[str]:
    """Return what a story's records and the referee's truth break; raises SettingsInvalid."""
    return run(read_story(path)).violations


def of_cell(cell: str, hours: float) -> list[str]:
    """Return what a cell's records of the last `hours` break, as its operator function verified them.

    Raises OperatorUnreachable, and MemoryUnreadable when the function could not find out.
    """
    way = DeployedOperator(f"picoha-{cell}", os.environ.get("AWS_REGION"))
    reply = Client(way, caller(), print).ask("verify", since_s=int(hours * 3600))
    if "broken" not in reply["data"]:
        raise MemoryUnreadable(str(reply["message"]))
    return list(map(str, reply["data"]["broken"]))


def history_of_story(path: Path) -> Sequence[HistoryRow]:
    """Return the history that a story writes, its preparation included; raises SettingsInvalid."""
    drill = played(read_story(path))
    try:
        return drill.ports.memory.history(drill.world.scheduler.start, drill.world.scheduler.now)
    finally:
        drill.world.scheduler.close()


def history_of_cell(cell: str, days: float) -> Sequence[HistoryRow]:
    """Return the history of a cell's last `days`; raises MemoryUnreadable."""
    now = SystemClock().now()
    return bootstrap.memory(cell, os.environ.get("AWS_REGION")).history(now - timedelta(days=days), now)
