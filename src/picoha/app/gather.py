"""Independent reads side by side, each bounded; a failure is a value, not an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from picoha.app.errors import MemoryUnreadable, SensorFailed
from picoha.app.ports import Reads
from picoha.domain.model import Unknown

WORKERS = 8


def attempt(read: Callable[[], object]) -> object | Unknown:
    """Return the answer of a read, or Unknown with the reason of its failure."""
    try:
        return read()
    except (SensorFailed, MemoryUnreadable) as problem:
        return Unknown(str(problem))


def one_by_one(reads: Reads) -> Mapping[str, object | Unknown]:
    """Run the reads in order, on this thread: for the drill, where time is virtual."""
    return {name: attempt(read) for name, read in reads.items()}


class SideBySide:
    """Run the reads on threads; one without an answer `deadline_s` seconds after the start is Unknown."""

    def __init__(self, deadline_s: float = 10.0) -> None:
        self._deadline_s = deadline_s
        self._pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="read")

    def __call__(self, reads: Reads) -> Mapping[str, object | Unknown]:
        running = {name: self._pool.submit(attempt, read) for name, read in reads.items()}
        wait(running.values(), timeout=self._deadline_s)
        late = Unknown(f"no answer within {self._deadline_s:g} s")
        return {name: future.result() if future.done() else late for name, future in running.items()}
