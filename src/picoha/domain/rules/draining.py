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
from picoha.domain.situation import Situation


def is_drained(situation: Situation) -> bool:
    op, order = situation.operation, situation.record.order
    report = situation.report(op.victim) if op else None
    if not in_step(situation, Step.DRAINING) or order is None or report is None:
        return False
    return report.order_done == order.id and report.phase is AgentPhase.OFFLINE


def fence_drained(situation: Situation) -> Decision:
    return to_step(
        situation, Step.FENCING, "drained", f"{opened(situation).victim} stopped its picos; it is fenced now"
    )


def drain_is_late(situation: Situation) -> bool:
    return is_late(situation, Step.DRAINING) or (
        in_step(situation, Step.DRAINING) and situation.is_gone(opened(situation).victim)
    )


def fence_undrained(situation: Situation) -> Decision:
    sentence = f"{opened(situation).victim} did not stop in time or is gone; it is fenced now"
    return to_step(situation, Step.FENCING, "not-drained", sentence)


def is_draining(situation: Situation) -> bool:
    return in_step(situation, Step.DRAINING)


def wait_for_drain(situation: Situation) -> Decision:
    return wait(f"{opened(situation).victim} is asked to stop its picos")
