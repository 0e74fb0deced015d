"""Virtual time: tasks take turns in one order, whether or not a sleep hands control over."""

from __future__ import annotations

import threading

import pytest

from picoha.fakeaws.scheduler import Scheduler


def test_tasks_and_events_take_turns_by_time_then_by_order_of_asking() -> None:
    scheduler, seen = Scheduler(), list[str]()

    def task(name: str, pause_s: float) -> None:
        for _ in range(3):
            scheduler.sleep(pause_s)
            seen.append(f"{name} {scheduler.elapsed:g}")

    scheduler.spawn("a", lambda: task("a", 2))
    scheduler.spawn("b", lambda: task("b", 3))
    scheduler.at(6, lambda: seen.append("event 6"))
    scheduler.run_for(20)
    assert seen == ["a 2", "b 3", "a 4", "event 6", "b 6", "a 6", "b 9"]


@pytest.mark.parametrize(("other_at", "switches"), [(5.0, 0), (1.0, 1), (0.5, 1)])
def test_a_sleep_hands_control_over_only_when_somebody_else_is_due(other_at: float, switches: int) -> None:
    scheduler, parked = Scheduler(), list[float]()
    scheduler.at(other_at, lambda: None)

    def body() -> None:
        task = scheduler.current
        assert task is not None
        park = task.park

        def counted() -> None:
            parked.append(scheduler.elapsed)
            park()

        task.park = counted  # type: ignore[method-assign]  # counts the switches
        scheduler.sleep(1)

    scheduler.spawn("a", body)
    scheduler.run_for(10)
    assert len(parked) == switches


def test_a_sleep_never_passes_the_end_of_the_run() -> None:
    scheduler, woke = Scheduler(), list[float]()

    def body() -> None:
        scheduler.sleep(10)
        woke.append(scheduler.elapsed)

    scheduler.spawn("a", body)
    scheduler.run_for(4)
    assert (scheduler.elapsed, woke) == (4, [])
    scheduler.run_for(10)
    assert (scheduler.elapsed, woke) == (14, [10])


def test_a_condition_that_ends_the_run_is_asked_before_every_wake() -> None:
    scheduler, steps = Scheduler(), list[float]()

    def body() -> None:
        for _ in range(5):
            scheduler.sleep(1)
            steps.append(scheduler.elapsed)

    scheduler.spawn("a", body)
    assert scheduler.run_for(100, until=lambda: len(steps) == 2)
    assert scheduler.elapsed == 2
    scheduler.close()


def test_a_closed_kernel_leaves_no_thread_behind() -> None:
    before, scheduler = threading.active_count(), Scheduler()
    scheduler.spawn("a", lambda: scheduler.sleep(1000))
    scheduler.run_for(1)
    scheduler.close()
    for thread in threading.enumerate():
        if thread.name == "a":
            thread.join(5)
    assert threading.active_count() == before


def test_an_error_in_a_task_ends_the_run_with_it() -> None:
    scheduler = Scheduler()

    def body() -> None:
        raise LookupError("lost")

    scheduler.spawn("a", body)
    with pytest.raises(LookupError, match="lost"):
        scheduler.run_for(1)
