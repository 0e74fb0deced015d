"""What a period showed: would-have failovers, operations, false rings, the worst gap."""

from __future__ import annotations

from datetime import timedelta

from builders import EC1, NOW
from picoha.domain.model import Sample, SlotName
from picoha.domain.record import HistoryRow, Mode
from picoha.domain.views.report import PeriodReport, report

SLOT = SlotName(EC1)


def row(
    minute: float, event: str, evidence: str = "silent", operation: str = "", verb: str = ""
) -> HistoryRow:
    """Return a row of history; its sentence is for people, and nothing may depend on it."""
    at = NOW + timedelta(minutes=minute)
    return HistoryRow(at, SLOT, 1, 421, event, "words", Mode.OBSERVE, operation, evidence, verb=verb)


def minutes(*values: float | None) -> dict[SlotName, list[Sample]]:
    """Return one sample a minute; None = no sample in that minute."""
    return {
        SLOT: [
            Sample(NOW + timedelta(minutes=number), value)
            for number, value in enumerate(values)
            if value is not None
        ]
    }


def reported(rows: list[HistoryRow], health: dict[SlotName, list[Sample]]) -> PeriodReport:
    return report(rows, health, NOW, NOW + timedelta(hours=1))


def test_nothing_happened() -> None:
    found = reported([], minutes(1, 1, 1))
    assert (found.would_have, found.operations, found.unread) == ((), (), "")
    assert [(one.minutes, one.worst_gap_s, one.false_rings) for one in found.health] == [(3, 0, ())]


def test_a_host_that_came_back_alone_is_told_with_its_time() -> None:
    rows = [row(2.5, "would-have", "i-1: silent for 95 s")]
    [one] = reported(rows, minutes(1, 1, None, None, 1)).would_have
    assert (one.rule, one.evidence, one.came_back_s) == (421, "i-1: silent for 95 s", 90)


def test_the_successors_samples_are_not_the_lost_hosts_return() -> None:
    rows = [row(2.5, "would-have", "i-1: gone"), row(3.5, "proven-off")]
    [one] = reported(rows, minutes(1, 1, None, None, 1)).would_have
    assert one.came_back_s is None and one.fate.startswith("proven-off at ")


def test_the_worst_gap_is_the_minutes_without_a_sample() -> None:
    [one] = reported([], minutes(1, None, 1, None, None, 1)).health
    assert (one.worst_gap_s, one.worst_gap_at) == (120, NOW + timedelta(minutes=3))
    assert len(one.false_rings) == 2


def test_a_failed_minute_that_came_to_nothing_is_a_false_ring() -> None:
    assert len(reported([], minutes(1, 0, 0, 1, 0, 1)).health[0].false_rings) == 2


def test_a_ring_that_was_answered_is_not_false() -> None:
    for event in ("would-have", "admitted", "restart-ordered"):
        rows = [row(3, event, "x", "ec1-1-1")]
        assert reported(rows, minutes(1, 1, None, None, 1)).health[0].false_rings == (), event
    late = [row(30, "admitted", "x", "ec1-1-1")]
    assert len(reported(late, minutes(1, 1, None, None, 1)).health[0].false_rings) == 1


def test_operations_are_told_with_verb_duration_and_end() -> None:
    rows = [
        row(1, "admitted", "silent", "ec1-1-1", "failover"),
        row(3, "done", "held", "ec1-1-1"),
        row(9, "admitted", "ops", "ec1-2-2", "switchover"),
    ]
    first, second = reported(rows, {}).operations
    assert (first.verb, first.took_s, first.ended) == ("failover", 120, "done")
    assert (second.verb, second.took_s, second.ended) == ("switchover", None, "open")


def test_an_operation_of_an_older_row_has_no_verb() -> None:
    [found] = reported([row(1, "admitted", operation="ec1-1-1")], {}).operations
    assert found.verb == "not recorded"
