"""The table around the rules: attention, pages, the outbox, and which slot may be changed at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NOW,
    PLATFORM,
    a_free_address,
    a_group,
    a_host,
    a_member,
    a_record,
    a_replaced_sight,
    a_report,
    a_silent_slot,
    a_slot,
    a_vacant_record,
    ago,
    an_address,
    an_observation,
    at,
    decided,
    holder_of,
    in_failover,
    saved,
    written,
)
from picoha.domain.decision import Answer
from picoha.domain.model import AgentPhase, InstanceState, Sample, SlotName, Unknown
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import HoldNotice, Notice, Step
from picoha.domain.rules.table import decide_slot
from unit.domain.golden.cases import Golden, golden_cases

WRONG = "tag picoha:kind is 'x'"


def misdeclared(**fields: Any) -> SlotObservation:
    """A slot that is held (rule 109) until its tags are mended."""
    return a_slot(EC1, spec=None, problem=WRONG, **fields)


def attended(seconds: float, rule: int = 109, notified: float | None = None) -> SlotObservation:
    told = ago(notified) if notified is not None else None
    return misdeclared(record=a_record(EC1, attention=HoldNotice(rule, ago(seconds), told)))


def two_hosts(attention: HoldNotice | None = None) -> SlotObservation:
    hosts = (a_host(EC1), a_host(EC1, "i-second"))
    return a_slot(EC1, hosts=hosts, record=a_record(EC1, attention=attention))


def test_an_unknown_slot_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        decide_slot(an_observation(), SlotName("sc9"), Policy())


def test_a_new_hold_is_remembered_and_not_paged() -> None:
    decision = decided(misdeclared())
    assert written(decision).attention == HoldNotice(109, NOW)
    assert decision.change is not None
    assert (decision.change.event, decision.change.notice) == ("held", None)


@pytest.mark.parametrize(("seconds", "is_paged"), [(299.9, False), (300, True)])
def test_a_hold_is_paged_after_5_min(seconds: float, is_paged: bool) -> None:
    decision = decided(attended(seconds))
    if not is_paged:
        assert decision.change is None
        return
    record = written(decision)
    assert record.attention == HoldNotice(109, ago(seconds), NOW)
    assert [notice.severity for notice in record.outbox] == ["page"]
    assert "picoha why ec1" in record.outbox[0].text


@pytest.mark.parametrize(("seconds", "is_paged"), [(1799.9, False), (1800, True)])
def test_a_page_is_repeated_after_30_min(seconds: float, is_paged: bool) -> None:
    decision = decided(attended(9000, notified=seconds))
    assert (decision.change is not None) is is_paged


def test_another_holding_rule_goes_on_with_the_first_ones_time() -> None:
    decision = decided(attended(200, rule=443))
    assert written(decision).attention == HoldNotice(109, ago(200))
    overdue = decided(attended(9000, rule=443))
    assert written(overdue).attention == HoldNotice(109, ago(9000), NOW)


def test_an_alert_is_paged_on_the_next_look() -> None:
    first = decided(two_hosts())
    assert (first.rule, first.answer) == (521, Answer.ALERT)
    assert written(first).outbox == ()
    second = decided(two_hosts(written(first).attention))
    assert [notice.severity for notice in written(second).outbox] == ["page"]


def test_a_page_says_mode_cell_slot_and_what_to_do() -> None:
    page = written(decided(attended(300))).outbox[0]
    assert page == Notice(
        id="ec1-8",
        at=NOW,
        severity="page",
        subject="ENFORCE page: demo/ec1",
        text=f"ENFORCE demo/ec1: the slot's declaration is wrong: {WRONG}. Look: picoha why ec1",
        slot=EC1,
        event="paged",
        rule=109,
    )


def test_a_page_of_an_operation_names_it() -> None:
    record = replace(in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.FENCING), attention=None)
    held = replace(record, attention=HoldNotice(373, ago(300)))
    page = written(decided(a_slot(EC1, record=held))).outbox[0]
    assert page.subject == "ENFORCE page: demo/ec1 ec1-1-1"


def test_the_attention_ends_with_the_hold() -> None:
    decision = decided(a_slot(EC1, record=a_record(EC1, attention=HoldNotice(443, ago(60)))))
    assert (decision.rule, written(decision).attention) == (999, None)
    assert decision.change is not None
    assert decision.change.event == ""


def test_waiting_neither_begins_nor_ends_attention() -> None:
    kept = a_record(EC1, attention=HoldNotice(443, ago(60)))
    decision = decided(a_silent_slot(EC1, 60, record=kept))
    assert (decision.answer, decision.change) == (Answer.WAIT, None)


def test_an_answer_that_changes_the_record_ends_attention_in_the_same_write() -> None:
    record = replace(in_failover(EC1), unfenced=(), attention=HoldNotice(111, ago(60)))
    decision = decided(a_slot(EC1, record=record))
    assert decision.rule == 301
    assert written(decision).attention is None


def test_a_message_joins_those_that_wait_in_the_outbox() -> None:
    old = Notice("ec1-6", ago(60), "info", "s", "t")
    record = replace(in_failover(EC1, step_at=ago(601)), outbox=(old,))
    hosts = (a_host(EC1, state=InstanceState.SHUTTING_DOWN),)
    outbox = written(decided(a_slot(EC1, record=record, hosts=hosts))).outbox
    assert [notice.id for notice in outbox] == ["ec1-6", "ec1-8"]


@pytest.mark.parametrize("fields", [{"memory": Unknown("throttled")}, {"newer": "schema 2"}])
def test_a_record_that_is_not_understood_is_not_even_annotated(fields: dict[str, Any]) -> None:
    observed = misdeclared(newer=fields.get("newer", ""))
    decision = decided(observed, **({"memory": fields["memory"]} if "memory" in fields else {}))
    assert decision.change is None


def later(seen: Observation, seconds: float) -> Observation:
    """The same cell this many seconds later: hosts went on reporting, and nothing else has moved."""
    passed = timedelta(seconds=seconds)
    slots = tuple(_went_on(slot, passed) for slot in seen.slots)
    return replace(at(seen, seconds), slots=slots, tick=_shifted(seen.tick, passed))


def _went_on(observed: SlotObservation, passed: timedelta) -> SlotObservation:
    reports = {
        key: replace(one, at=one.at + passed, leaving_at=one.leaving_at and one.leaving_at + passed)
        for key, one in observed.reports.items()
    }
    return replace(observed, reports=reports, metric=_shifted(observed.metric, passed))


def _shifted(sample: Sample | Unknown | None, passed: timedelta) -> Sample | Unknown | None:
    return replace(sample, at=sample.at + passed) if isinstance(sample, Sample) else sample


def paged_in(seen: Observation, slot: SlotName, seconds: int, policy: Policy | None = None) -> bool:
    """Whether a page waits in the slot's outbox after looking every 10 s for so long."""
    for _ in range(0, seconds, 10):
        change = decide_slot(seen, slot, policy or Policy()).change
        seen = later(saved(seen, slot, change), 10)
        if change is not None and change.notice is not None and change.notice.severity == "page":
            return True
    return False


HELD = [one for one in golden_cases() if one.answer in (Answer.HOLD, Answer.ALERT)]
NOT_PAGED = {
    "memory unreadable: nothing is known and nothing is done": "nothing can be written: an alarm tells it",
    "memory unreadable in the middle of a fence: nothing is done": "as above",
    "a record from a newer version is left alone": "nothing may be written: the newer controller pages",
    "a pause that ran out observes for 10 min": "its soft end comes before 6 min, then it is admitted",
    "first-seen grace: one second left": "the grace ends before 6 min, then it is admitted",
    "storm: replaced 1799 s ago counts": "the storm's memory ends before 6 min, then it is admitted",
    "cool-down: 29 min after the last operation": "the cool-down ends before 6 min, then it is admitted",
    "F22a an EC that failed is explained until 5 min after the Platform is active": (
        "the explanation ends before 6 min, then its picos are restarted"
    ),
}
"""The holds that nobody is paged for within 6 min, and why that is right."""


@pytest.mark.parametrize("golden", HELD, ids=lambda one: one.name)
def test_l3_every_hold_is_paged_within_6_min(golden: Golden) -> None:
    is_paged = paged_in(golden.seen, golden.slot, 370, golden.policy)
    assert is_paged is (golden.name not in NOT_PAGED), NOT_PAGED.get(golden.name, "it holds in silence")


def test_l3_every_exception_names_a_hold() -> None:
    assert set(NOT_PAGED) - {one.name for one in HELD} == set()


def refused_for_ever() -> dict[str, tuple[int, SlotName, SlotObservation]]:
    """Effects that are ordered and never seen: the rule that orders them, and the sight it meets."""
    off = a_host(PLATFORM, state=InstanceState.TERMINATED)
    moving = a_replaced_sight(
        PLATFORM, in_failover(PLATFORM, Step.ADDRESSING), address=an_address(PLATFORM, off)
    )
    held = a_slot(
        EC1,
        record=in_failover(EC1, Step.AWAITING_HOST),
        hosts=(a_host(EC1, state=InstanceState.TERMINATED),),
        group=a_group(EC1, a_member(holder_of(EC1), "Pending:Wait")),
        reports={},
    )
    return {
        "the address stays on the proven victim": (333, PLATFORM, moving),
        "the dead launch stays held": (311, EC1, held),
        "the address stays free": (523, PLATFORM, a_slot(PLATFORM, address=a_free_address(PLATFORM))),
    }


@pytest.mark.parametrize("name", refused_for_ever())
def test_l3_an_effect_that_is_refused_for_ever_is_paged_within_6_h(name: str) -> None:
    rule, slot, observed = refused_for_ever()[name]
    seen = an_observation(observed)
    first = decide_slot(seen, slot, Policy())
    assert (first.rule, first.answer) == (rule, Answer.SEND)
    assert paged_in(seen, slot, 6 * 3600)


def test_l3_a_healthy_slot_is_never_paged() -> None:
    assert not paged_in(an_observation(), EC2, 10)
    assert not paged_in(an_observation(), PLATFORM, 10)


@pytest.mark.parametrize(
    "observed",
    [
        a_slot(EC1, record=None, reports={holder_of(EC1): a_report(EC1, highest_epoch=4)}),
        misdeclared(record=None, reports={}),
    ],
    ids=["an epoch without a record", "a new slot with a wrong tag"],
)
def test_l3_a_slot_that_is_held_before_it_is_recorded_is_paged(observed: SlotObservation) -> None:
    assert paged_in(an_observation(observed), EC1, 360)


def test_l3_a_slot_that_two_rules_hold_in_turn_is_paged() -> None:
    turns = [a_slot(EC1, metric=Unknown("throttled")), a_slot(EC1, hosts=Unknown("throttled"))]
    seen = an_observation(turns[0])
    for turn in range(120):
        observed = replace(turns[turn % 2], record=seen.slot(EC1).record)
        seen = replace(seen, slots=tuple(observed if slot.name == EC1 else slot for slot in seen.slots))
        seen = at(saved(seen, EC1, decide_slot(seen, EC1, Policy()).change), 10)
    record = seen.slot(EC1).record
    assert record is not None
    assert record.outbox


def test_l3_an_armed_slot_whose_only_host_waits_for_a_grant_nobody_will_give_is_paged() -> None:
    report = a_report(EC1, epoch=0, highest_epoch=0, picos={}, phase=AgentPhase.WAITING)
    seen = an_observation(a_slot(EC1, record=a_vacant_record(EC1), reports={report.instance: report}))
    assert paged_in(seen, EC1, 3600)
