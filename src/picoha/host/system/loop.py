"""The agent's heartbeat: a cycle every so many seconds, told to systemd, ended by a signal."""

from __future__ import annotations

import math
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

from picoha.host.core.ports import AgentClock
from picoha.host.system.processes import Asker

LARGEST_MB = 96
LEAVING = "leaving"
_STOPPING_LIMIT_S = 2.0


def stop_signal() -> Event:
    """Return an event that SIGTERM and SIGINT set."""
    asked = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked


def notify(text: str) -> None:
    """Tell systemd (sd_notify(3)); without it, or when it does not listen, nothing is told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.sendto(text.encode(), "\0" + address[1:] if address[0] == "@" else address)


def run(cycle: Callable[[], object], clock: AgentClock, interval_s: float, stop: Event) -> None:
    """Call `cycle` until `stop` is set, or until this process has grown too large.

    Cycles begin on the same beat for ever: one that was missed is left out, and none is shifted.
    """
    due = clock.monotonic()
    while not stop.is_set() and resident_mb() <= LARGEST_MB:
        cycle()
        notify("WATCHDOG=1")
        now = clock.monotonic()
        due += interval_s * max(1, math.ceil((now - due) / interval_s))
        stop.wait(due - now)


def resident_mb() -> float:
    """Return the resident size of this process now; its peak would be its parent's after a fork."""
    with open("/proc/self/statm", "rb", buffering=0) as sizes:
        return int(sizes.read().split()[1]) * resource.getpagesize() / 2**20


def is_shutting_down(run_dir: Path, asker: Asker) -> bool:
    """Return True if this host goes down in good order: systemd says so, or `picoha-agent leave` did."""
    if (run_dir / LEAVING).exists():
        return True
    with suppress(OSError):
        return asker.ask(("systemctl", "is-system-running"), _STOPPING_LIMIT_S)[1].strip() == "stopping"
    return False
