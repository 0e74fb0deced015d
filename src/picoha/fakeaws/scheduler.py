"""Virtual time and a deterministic scheduler for fakeaws world.

One thing runs at a time. Events are plain callbacks at a virtual instant; a *task* is a
callback that may sleep (a Lambda invocation, say). Each task owns a thread, but control is
handed over explicitly, so two runs with the same seed do the same things in the same order.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


class AwsFault(Exception):
    """An error answer of a fakeaws service: AWS error code, message, HTTP status, and `extra` members.

    `extra` carries what an error tells beyond its code (DynamoDB's CancellationReasons, Item).
    """

    def __init__(
        self, code: str, message: str, status: int = 400, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra = dict(extra or {})


class TaskKilled(BaseException):
    """Raised inside a task that the world kills; nothing in product code may swallow it."""


def _closed_door() -> threading.Lock:
    """Return a lock that one thread opens for another (a semaphore costs five times as much)."""
    door = threading.Lock()
    door.acquire()
    return door


class Task:
    """A callback that may sleep in virtual time. Created by `Kernel.spawn` only."""

    def __init__(self, scheduler: Scheduler, label: str, body: Callable[[], None]) -> None:
        self.label = label
        self.error: BaseException | None = None
        self.done = False
        self.killed = False
        self._scheduler = scheduler
        self._body = body
        self._wake, self._parked = _closed_door(), _closed_door()
        self._thread = threading.Thread(target=self._run, name=label, daemon=True)

    def step(self) -> None:
        """Let the task run until it sleeps or ends (called by the kernel only)."""
        if self.done:
            return
        if self._thread.ident is None:
            self._thread.start()
        self._scheduler.current = self
        self._wake.release()
        self._parked.acquire()
        self._scheduler.current = None
        if self.error is not None and not self.killed:
            raise self.error

    def park(self) -> None:
        """Give control back to the kernel until the next `step` (called on the task's thread)."""
        self._parked.release()
        self._wake.acquire()
        if self.killed:
            raise TaskKilled(self.label)

    def kill(self) -> None:
        """End the task at the point where it sleeps, as Lambda ends a timed-out invocation."""
        if not self.done and not self.killed:
            self.killed = True
            if self._thread.ident is None:
                self.done = True
            else:
                self.step()

    def _run(self) -> None:
        self._wake.acquire()
        try:
            if not self.killed:
                self._body()
        except BaseException as problem:  # noqa: BLE001 - handed to the kernel's thread, see step()
            self.error = problem
        finally:
            self.done = True
            self._parked.release()


class Scheduler:
    """fakeaws' clock: `now`, `at`, `every`, `spawn`, `sleep`, `run_for`."""

    def __init__(self, seed: int = 0, start: datetime = START) -> None:
        self.start = start
        self.elapsed = 0.0
        self.random = random.Random(seed)
        self.current: Task | None = None
        self.tasks: list[Task] = []
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._quiet_until = 0.0

    @property
    def now(self) -> datetime:
        """The virtual instant, aware UTC."""
        return self.start + timedelta(seconds=self.elapsed)

    def seconds_of(self, at: datetime) -> float:
        """Seconds from the start of the run to `at`."""
        return (at - self.start).total_seconds()

    def at(self, delay_s: float, what: Callable[[], None]) -> None:
        """Call `what` once, `delay_s` virtual seconds from now (0 = right after this event)."""
        heapq.heappush(self._events, (self.elapsed + max(0.0, delay_s), next(self._order), what))

    def every(self, period_s: float, what: Callable[[], None], first_s: float | None = None) -> None:
        """Call `what` every `period_s` seconds, first after `first_s` (default: one period)."""

        def again() -> None:
            self.at(period_s, again)
            what()

        self.at(period_s if first_s is None else first_s, again)

    def spawn(self, label: str, body: Callable[[], None], delay_s: float = 0.0) -> Task:
        """Start a task that may sleep; an error that escapes it is raised out of `run_for`."""
        task = Task(self, label, body)
        self.tasks = [one for one in self.tasks if not one.done] + [task]
        self.at(delay_s, task.step)
        return task

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass: a task gives way to the others; the main thread runs the world."""
        task = self.current
        if task is None:
            self.run_for(seconds)
        elif not self._nothing_before(seconds):
            self.at(seconds, task.step)
            task.park()

    def _nothing_before(self, seconds: float) -> bool:
        """Let time pass at once if nobody else would have his turn meanwhile: saves two switches."""
        wakes = self.elapsed + seconds
        if wakes > self._quiet_until or (self._events and self._events[0][0] <= wakes):
            return False
        self.elapsed = wakes
        return True

    def run_for(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Run events for `seconds`; stop early, with True, once `until` holds."""
        end = self.elapsed + seconds
        self._quiet_until = end if until is None else self.elapsed
        while self._events and self._events[0][0] <= end:
            if until is not None and until():
                return True
            when, _, what = heapq.heappop(self._events)
            self.elapsed = max(self.elapsed, when)
            what()
        self.elapsed = end
        return until is not None and until()

    def close(self) -> None:
        """End every task that still sleeps, so that no thread outlives the run."""
        for task in self.tasks:
            task.kill()
        self.tasks = []
