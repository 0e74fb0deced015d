"""Rules 363 to 367: the old holder of a switchover stops its picos before it is fenced."""

from __future__ import annotations

from picoha.domain.decision import Decision, wait
from picoha.domain.model import AgentPhase
from picoha.domain.record import Step
from picoha.domain.rules.steps import (
    in_step,
    is_late,
    opened,
    to_step,
)
from picoha.domain.situation import Case


def is_drained(case: Case) -> bool:
    op, order = case.operation, case.record.order
    report = case.report(op.victim) if op else None
    if not in_step(case, Step.DRAINING) or order is None or report is None:
        return False
    return report.order_done == order.id and report.phase is AgentPhase.OFFLINE


def fence_drained(case: Case) -> Decision:
    return to_step(
        case, Step.FENCING, "drained", f"{opened(case).victim} stopped its picos; it is fenced now"
    )


def drain_is_late(case: Case) -> bool:
    return is_late(case, Step.DRAINING) or (
        in_step(case, Step.DRAINING) and case.is_gone(opened(case).victim)
    )


def fence_undrained(case: Case) -> Decision:
    sentence = f"{opened(case).victim} did not stop in time or is gone; it is fenced now"
    return to_step(case, Step.FENCING, "not-drained", sentence)


def is_draining(case: Case) -> bool:
    return in_step(case, Step.DRAINING)


def wait_for_drain(case: Case) -> Decision:
    return wait(f"{opened(case).victim} is asked to stop its picos")
