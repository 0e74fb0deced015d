"""Calls that may hang, each in a thread of its own, waited for only so long.

The name service has no time limit of its own that anybody set: a host whose DNS is gone waits 10 s and
more for every name. A call that still hangs is not made again; its answer is the fallback meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class _BoundedCall(Generic[T]):
    """One call under way; `outcome` is empty until it returned."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self.outcome: list[T] = []
        self.is_over = Event()

    def run(self) -> None:
        try:
            self.outcome.append(self._make())
        finally:
            self.is_over.set()


class Bounded:
    """Makes calls in daemon threads: at most one for each key, whatever hangs."""

    def __init__(self) -> None:
        self._hanging: dict[str, Event] = {}

    def call(self, key: str, make: Callable[[], T], limit_s: float, fallback: T) -> T:
        """Return what `make` returns within `limit_s`, else `fallback`; `make` itself must not raise."""
        hanging = self._hanging.get(key)
        if hanging is not None and not hanging.is_set():
            return fallback
        call = _BoundedCall(make)
        self._hanging[key] = call.is_over
        Thread(target=call.run, name=f"picoha {key}", daemon=True).start()
        call.is_over.wait(limit_s)
        return call.outcome[0] if call.outcome else fallback


class Postman:
    """Delivers the newest of what it is given, in a thread of its own; an older one is dropped.

    `deliver` is tried again until it succeeds or `limit_s` after the item was given: late is worse
    than never for a sign of life.
    """

    def __init__(
        self, deliver: Callable[[float], bool], monotonic: Callable[[], float], limit_s: float
    ) -> None:
        self._deliver, self._monotonic, self._limit_s = deliver, monotonic, limit_s
        self._lock = Lock()
        self._item: tuple[float, float] | None = None
        self._given = Event()
        self._pause = Event()
        self._thread: Thread | None = None

    def give(self, value: float) -> None:
        """Take a value to deliver and return at once."""
        with self._lock:
            self._item = value, self._monotonic() + self._limit_s
        self._given.set()
        if self._thread is None:
            self._thread = Thread(target=self._work, name="picoha publish", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            self._given.wait()
            self._given.clear()
            while (item := self._newest()) is not None:
                if self._monotonic() < item[1] and not self._deliver(item[0]):
                    self._pause.wait(_RETRY_S)
                    continue
                self._forget(item)

    def _newest(self) -> tuple[float, float] | None:
        with self._lock:
            return self._item

    def _forget(self, item: tuple[float, float]) -> None:
        with self._lock:
            self._item = None if self._item == item else self._item


_RETRY_S = 1.0
