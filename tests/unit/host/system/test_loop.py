"""The beat that never drifts, the word to systemd, and the two ways to know of a shutdown."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from picoha.host.system import loop
from picoha.host.system.processes import Asker
from unit.host.fakes import Time


@pytest.fixture(autouse=True)
def large_test_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be as large as all the tests together make it."""
    monkeypatch.setattr(loop, "LARGEST_MB", 100_000)


class Beat(Event):
    """A stop event on virtual time: waiting lets it pass."""

    def __init__(self, clock: Time, until_s: float) -> None:
        super().__init__()
        self._clock, self._until_s = clock, until_s

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None and timeout >= 0
        self._clock.elapsed += timeout
        return self.is_set()

    def is_set(self) -> bool:
        return self._clock.elapsed >= self._until_s


def beats(takes_s: Callable[[int], float], until_s: float) -> list[float]:
    """Return when the cycles began."""
    clock = Time()
    begun: list[float] = []

    def cycle() -> None:
        begun.append(clock.elapsed)
        clock.elapsed += takes_s(len(begun))

    loop.run(cycle, clock, 10, Beat(clock, until_s))
    return begun


def test_cycles_keep_their_beat_however_long_each_takes() -> None:
    assert beats(lambda number: number % 9, 60) == [0, 10, 20, 30, 40, 50]


def test_cycle_that_takes_too_long_leaves_beats_out_and_shifts_none() -> None:
    assert beats(lambda number: 23 if number == 2 else 1, 70) == [0, 10, 40, 50, 60]


def test_cycle_that_takes_exactly_one_beat_is_followed_at_once() -> None:
    assert beats(lambda number: 10, 40) == [0, 10, 20, 30]


def test_process_that_has_grown_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LARGEST_MB", 1)
    assert beats(lambda number: 1, 60) == []


@pytest.mark.parametrize("prefix", ["", "@"], ids=["path", "abstract"])
def test_systemd_is_told(prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{prefix}{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if prefix else address)
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        loop.notify("READY=1")
        assert listening.recv(100) == b"READY=1"


def test_nobody_listening_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/nobody")
    loop.notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    loop.notify("READY=1")


def systemctl_says(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = folder / "systemctl"
    command.write_text(f"#!/bin/sh\necho {text}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(("says", "is_down"), [("stopping", True), ("running", False), ("degraded", False)])
def test_systemd_says_whether_the_host_goes_down(
    says: str, is_down: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl_says(tmp_path, says, monkeypatch)
    assert loop.is_shutting_down(tmp_path / "run", Asker()) is is_down


def test_leave_says_so_where_there_is_no_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl_says(tmp_path, "offline", monkeypatch)
    (tmp_path / loop.LEAVING).touch()
    assert loop.is_shutting_down(tmp_path, Asker())


def test_signal_asks_the_loop_to_end() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = loop.stop_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
