"""Calls that hang hold nobody, and the newest sign of life is the one that is delivered."""

from __future__ import annotations

from threading import Event
from time import monotonic, sleep

import pytest

from picoha.clock import SystemClock
from picoha.domain.model import AgentPhase, InstanceId, Report, SlotName
from picoha.domain.record import SlotRecord
from picoha.host.core.ports import CloudUnreachable, NoRecord, SlotAnswer, TakeAnswer, Taken
from picoha.host.system import network, patience
from picoha.host.system.bounded import Bounded, Postman
from picoha.host.system.network import SystemResolver, TcpReach
from picoha.host.system.patience import PatientCloud
from unit.host.fakes import START, granted

REPORT = Report(InstanceId("i-1"), SlotName("ec1"), "boot-1", START, AgentPhase.RUNNING)


class SlowCloud:
    """A cloud whose calls wait until they are let go; it counts them."""

    def __init__(self) -> None:
        self.go = Event()
        self.calls: list[str] = []

    def _wait(self, name: str) -> None:
        self.calls.append(name)
        self.go.wait(20)

    def read_slot(self) -> SlotAnswer:
        self._wait("read")
        return NoRecord()

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        self._wait("take")
        return Taken()

    def put_report(self, report: Report) -> bool:
        self._wait("report")
        return True

    def publish(self, value: float) -> bool:
        self._wait("publish")
        return True


def eventually(event: Event) -> bool:
    return event.wait(20)


def test_call_that_hangs_is_answered_by_the_fallback_and_not_made_again() -> None:
    go, made, bounded = Event(), [], Bounded()

    def hang() -> str:
        made.append(1)
        go.wait(20)
        return "late"

    assert bounded.call("x", hang, 0.05, "fallback") == "fallback"
    assert bounded.call("x", hang, 0.05, "fallback") == "fallback"
    assert len(made) == 1
    assert bounded.call("y", lambda: "other", 5, "fallback") == "other"
    go.set()
    for _ in range(2000):
        if bounded.call("x", lambda: "again", 5, "fallback") == "again":
            return
        sleep(0.005)
    raise AssertionError("the call that ended was never made again")


def test_cloud_that_hangs_is_unreachable_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "CALL_LIMIT_S", 0.05)
    slow = SlowCloud()
    cloud = PatientCloud(slow, SystemClock(), 10)
    try:
        for _ in range(3):
            assert isinstance(cloud.read_slot(), CloudUnreachable)
            assert isinstance(cloud.take(granted(), REPORT), CloudUnreachable)
            assert cloud.put_report(REPORT) is False
            assert cloud.publish(1.0) is True
        assert slow.calls.count("read") == slow.calls.count("take") == slow.calls.count("report") == 1
        assert slow.calls.count("publish") <= 1
    finally:
        slow.go.set()


def test_answers_of_a_quick_cloud_are_passed_on() -> None:
    quick = SlowCloud()
    quick.go.set()
    cloud = PatientCloud(quick, SystemClock(), 10)
    assert cloud.read_slot() == NoRecord()
    assert cloud.take(granted(), REPORT) == Taken()
    assert cloud.put_report(REPORT)


def test_only_the_newest_value_is_delivered_after_a_hang() -> None:
    go, got, last = Event(), [], Event()

    def deliver(value: float) -> bool:
        got.append(value)
        if len(got) == 1:
            go.wait(20)
        if value == 4.0:
            last.set()
        return True

    postman = Postman(deliver, monotonic, 20)
    postman.give(1.0)
    while not got:
        sleep(0.001)
    for value in (2.0, 3.0, 4.0):
        postman.give(value)
    go.set()
    assert eventually(last)
    assert got == [1.0, 4.0]


def test_value_that_cannot_be_delivered_is_tried_again_until_its_time_is_up() -> None:
    times = iter([0.0, 1.0, 2.0, 11.0, 12.0])
    asked, newer = [], Event()

    def deliver(value: float) -> bool:
        asked.append(value)
        if value == 2.0:
            newer.set()
        return value == 2.0

    postman = Postman(deliver, lambda: next(times, 12.0), 10)
    postman._pause.set()  # no pause between the attempts
    postman.give(1.0)
    for _ in range(2000):
        if len(asked) == 2 and postman._newest() is None:
            break
        sleep(0.005)
    assert asked == [1.0, 1.0], "at 11 s the value of second 0 is too old to be a sign of life"
    postman.give(2.0)
    assert eventually(newer)


def test_name_service_that_hangs_gives_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    go = Event()
    monkeypatch.setattr(network, "_first_address", lambda name: "10.0.0.1" if go.wait(20) else None)
    assert SystemResolver(0.05).resolve("mz-platform") is None
    go.set()


def test_name_of_this_computer_resolves_and_nonsense_does_not() -> None:
    assert SystemResolver().resolve("localhost") == "127.0.0.1"
    assert SystemResolver().resolve("no such name") is None
    assert TcpReach().connects("localhost", 1, 1.0) is False
