"""No wait is silent for ever: what stays as it is ends in an act or at a human (safety L3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import event, example, given

from builders import EC1, PLATFORM, a_silent_slot, a_slot, an_observation, holder_of
from picoha.domain.decision import Answer
from picoha.domain.health import Health
from picoha.domain.model import Report, Sample, Unknown
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.rules.table import decide_slot
from picoha.host.core.probe import health_of
from random_cells import a_confused_report, cells

POLICY = Policy()
DAY = timedelta(days=1)
WAITS_TOLD = frozenset({423, 531})
"""Waits that may last: in observe it was told what would be done; a slot that nobody holds yet."""


def a_day_later(seen: Observation) -> Observation:
    """The same cell: who was heard just now is heard still, what failed fails on, the others are silent."""
    now = seen.now + DAY

    def still(at: datetime) -> datetime:
        return now if seen.now - at <= POLICY.fresh_within else at

    def sample(one: Sample | Unknown | None) -> Sample | Unknown | None:
        return replace(one, at=still(one.at)) if isinstance(one, Sample) else one

    def report(one: Report) -> Report:
        failed = one.failed_samples + (1000 if health_of(one.picos) is Health.FAILED else 0)
        return replace(one, at=still(one.at), failed_samples=failed)

    slots = tuple(
        replace(
            slot,
            metric=sample(slot.metric),
            reports={key: report(told) for key, told in slot.reports.items()},
        )
        for slot in seen.slots
    )
    return replace(seen, now=now, slots=slots, tick=sample(seen.tick))


@given(cells())
@example(an_observation(a_slot(EC1, reports={holder_of(EC1): a_confused_report(EC1, holder_of(EC1))})))
@example(an_observation(a_silent_slot(PLATFORM, 3600), a_silent_slot(EC1, 95)))
def test_l3_a_slot_that_goes_on_as_it_is_is_not_waited_for_in_silence(seen: Observation) -> None:
    later = a_day_later(seen)
    for observed in later.slots:
        decision = decide_slot(later, observed.name, POLICY)
        has_operation = observed.record is not None and observed.record.operation is not None
        if not has_operation and decision.answer is Answer.WAIT:
            event(f"waits {decision.rule}")
            assert decision.rule in WAITS_TOLD, decision.sentence
