"""Independent reads: each answer or its failure, in order or side by side, never later than the deadline."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from picoha.app.errors import ActionFailed, MemoryUnreadable, SensorFailed
from picoha.app.gather import WORKERS, SideBySide, attempt, one_by_one
from picoha.app.ports import Gather
from picoha.domain.model import Unknown

LATE = Unknown("no answer within 0.05 s")


def failing(problem: Exception) -> object:
    raise problem


@pytest.fixture
def stuck() -> Iterator[Event]:
    """An event that nobody sets before the test is over."""
    event = Event()
    yield event
    event.set()


@pytest.fixture(params=["one by one", "side by side"])
def gather(request: pytest.FixtureRequest) -> Gather:
    return one_by_one if request.param == "one by one" else SideBySide()


def test_each_read_is_answered_under_its_name(gather: Gather) -> None:
    assert gather({"a": lambda: 1, "b": lambda: None, "c": lambda: ()}) == {"a": 1, "b": None, "c": ()}
    assert gather({}) == {}


def test_a_read_that_fails_is_unknown_with_its_reason_and_the_others_stay(gather: Gather) -> None:
    answers = gather(
        {
            "sensor": lambda: failing(SensorFailed("describing: throttled")),
            "memory": lambda: failing(MemoryUnreadable("reading: denied")),
            "well": lambda: 7,
        }
    )
    assert answers == {
        "sensor": Unknown("describing: throttled"),
        "memory": Unknown("reading: denied"),
        "well": 7,
    }


@pytest.mark.parametrize(
    "problem", [KeyError("Instances"), ValueError("x"), ActionFailed("x", "c", True, "denied")]
)
def test_a_mistake_of_ours_is_not_hidden_as_unknown(gather: Gather, problem: Exception) -> None:
    with pytest.raises(type(problem)):
        gather({"wrong": lambda: failing(problem)})
    with pytest.raises(type(problem)):
        attempt(lambda: failing(problem))


def test_one_by_one_keeps_the_order() -> None:
    asked: list[str] = []
    one_by_one({name: lambda name=name: asked.append(name) for name in "cab"})  # type: ignore[misc]  # a lambda with a default
    assert asked == ["c", "a", "b"]


def test_side_by_side_runs_the_reads_at_the_same_time() -> None:
    """Each read waits until all of them have begun; in order they would wait for ever."""
    together = Barrier(WORKERS, timeout=10)
    answers = SideBySide()({str(number): together.wait for number in range(WORKERS)})
    assert sorted(map(str, answers.values())) == [str(number) for number in range(WORKERS)]


def test_reads_without_an_answer_at_the_deadline_are_unknown_and_the_others_stay(stuck: Event) -> None:
    answers = SideBySide(0.05)({"first": stuck.wait, "well": lambda: 7, "last": stuck.wait})
    assert answers == {"first": LATE, "well": 7, "last": LATE}


def test_reads_that_found_no_thread_before_the_deadline_are_unknown_too(stuck: Event) -> None:
    reads = {str(number): stuck.wait for number in range(WORKERS)}
    assert set(SideBySide(0.05)({**reads, "queued": lambda: 7}).values()) == {LATE}


def test_a_gather_works_again_after_a_read_was_late() -> None:
    event = Event()
    side_by_side = SideBySide(0.05)
    assert side_by_side({"slow": event.wait}) == {"slow": LATE}
    event.set()
    side_by_side._deadline_s = 10.0
    assert side_by_side({"slow": event.wait, "well": lambda: 7}) == {"slow": True, "well": 7}
