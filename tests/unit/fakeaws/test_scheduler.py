"""Virtual time: tasks take turns in one order, whether or not a sleep hands control over."""

from __future__ import annotations

import threading

import pytest

from picoha.fakeaws.scheduler import Kernel


def test_tasks_and_events_take_turns_by_time_then_by_order_of_asking() -> None:
    kernel, seen = Kernel(), list[str]()

    def task(name: str, pause_s: float) -> None:
        for _ in range(3):
            kernel.sleep(pause_s)
            seen.append(f"{name} {kernel.elapsed:g}")

    kernel.spawn("a", lambda: task("a", 2))
    kernel.spawn("b", lambda: task("b", 3))
    kernel.at(6, lambda: seen.append("event 6"))
    kernel.run_for(20)
    assert seen == ["a 2", "b 3", "a 4", "event 6", "b 6", "a 6", "b 9"]


@pytest.mark.parametrize(("other_at", "switches"), [(5.0, 0), (1.0, 1), (0.5, 1)])
def test_a_sleep_hands_control_over_only_when_somebody_else_is_due(other_at: float, switches: int) -> None:
    kernel, parked = Kernel(), list[float]()
    kernel.at(other_at, lambda: None)

    def body() -> None:
        task = kernel.current
        assert task is not None
        park = task.park

        def counted() -> None:
            parked.append(kernel.elapsed)
            park()

        task.park = counted  # type: ignore[method-assign]  # counts the switches
        kernel.sleep(1)

    kernel.spawn("a", body)
    kernel.run_for(10)
    assert len(parked) == switches


def test_a_sleep_never_passes_the_end_of_the_run() -> None:
    kernel, woke = Kernel(), list[float]()

    def body() -> None:
        kernel.sleep(10)
        woke.append(kernel.elapsed)

    kernel.spawn("a", body)
    kernel.run_for(4)
    assert (kernel.elapsed, woke) == (4, [])
    kernel.run_for(10)
    assert (kernel.elapsed, woke) == (14, [10])


def test_a_condition_that_ends_the_run_is_asked_before_every_wake() -> None:
    kernel, steps = Kernel(), list[float]()

    def body() -> None:
        for _ in range(5):
            kernel.sleep(1)
            steps.append(kernel.elapsed)

    kernel.spawn("a", body)
    assert kernel.run_for(100, until=lambda: len(steps) == 2)
    assert kernel.elapsed == 2
    kernel.close()


def test_a_closed_kernel_leaves_no_thread_behind() -> None:
    before, kernel = threading.active_count(), Kernel()
    kernel.spawn("a", lambda: kernel.sleep(1000))
    kernel.run_for(1)
    kernel.close()
    for thread in threading.enumerate():
        if thread.name == "a":
            thread.join(5)
    assert threading.active_count() == before


def test_an_error_in_a_task_ends_the_run_with_it() -> None:
    kernel = Kernel()

    def body() -> None:
        raise LookupError("lost")

    kernel.spawn("a", body)
    with pytest.raises(LookupError, match="lost"):
        kernel.run_for(1)
