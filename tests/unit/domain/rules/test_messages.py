"""One message for each state change that people wait for, told to people and to machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import EC1, a_replaced_sight, a_silent_slot, an_operation, decided, in_failover, written
from picoha.domain.record import Notice, Step
from picoha.domain.rules.messages import NEXT, of_operation

FENCED = replace(in_failover(EC1, Step.FENCING), unfenced=())
IN_SERVICE = a_replaced_sight(EC1, in_failover(EC1, Step.RELEASING), "InService")
FOUND = a_replaced_sight(EC1, in_failover(EC1, Step.AWAITING_HOST))


def told(observed: object) -> Notice | None:
    outbox = written(decided(observed)).outbox  # type: ignore[arg-type]  # a sight; the table below mixes builders
    return outbox[-1] if outbox else None


@pytest.mark.parametrize(
    ("observed", "event", "rule"),
    [
        (a_silent_slot(EC1, 95), "admitted", 445),
        (a_replaced_sight(EC1, FENCED), "fenced", 301),
        (IN_SERVICE, "granted", 341),
    ],
)
def test_a_state_change_is_told_once_with_its_facts(observed: object, event: str, rule: int) -> None:
    notice = told(observed)
    assert notice is not None
    assert (notice.slot, notice.event, notice.rule, notice.severity) == (EC1, event, rule, "info")
    assert notice.operation.startswith("ec1-1-")
    assert notice.text.startswith("ENFORCE demo/ec1: ")
    for word in ("Why:  ", "Next: ", "Stop: `picoha abort ", "Look: `picoha show "):
        assert f"\n{word}" in notice.text


def test_a_step_that_passes_in_seconds_is_not_told() -> None:
    assert told(FOUND) is None


def test_the_end_is_told_without_a_way_to_stop_it() -> None:
    op = an_operation(EC1, Step.DONE)
    text = of_operation(op, "i-new holds ec1", op.opened_at)
    assert "Stop:" not in text
    assert NEXT[Step.DONE] in text
    assert "+0 s" in text
