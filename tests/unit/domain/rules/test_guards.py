"""Rules 1xx: readable, understood, consistent; and evidence, written in every mode."""

from __future__ import annotations

from typing import Any

import pytest

from builders import (
    EC1,
    NOW,
    PLATFORM,
    a_case,
    a_group,
    a_host,
    a_record,
    a_report,
    a_sight,
    holder_of,
    in_failover,
)
from picoha.domain.decision import Answer
from picoha.domain.model import Evidence, EvidenceKind, InstanceId, InstanceState, Unknown
from picoha.domain.policy import Policy
from picoha.domain.record import Mode
from picoha.domain.rules import guards as rules
from picoha.domain.rules.table import decide_slot

OFF = InstanceState.TERMINATED
GONE = InstanceId("i-gone")


def test_unreadable_memory_is_held_with_its_reason_and_nothing_is_written() -> None:
    case = a_case(a_sight(EC1), memory=Unknown("throttled"))
    assert rules.memory_is_unreadable(case)
    decision = rules.hold_without_memory(case)
    assert (decision.answer, decision.change, decision.actions) == (Answer.HOLD, None, ())
    assert "throttled" in decision.sentence
    assert not rules.memory_is_unreadable(a_case(a_sight(EC1)))


def test_a_newer_record_is_left_alone() -> None:
    case = a_case(a_sight(EC1, newer="schema 2"))
    assert rules.record_is_newer(case)
    assert rules.leave_newer_alone(case).change is None
    assert not rules.record_is_newer(a_case(a_sight(EC1)))


@pytest.mark.parametrize("mode", list(Mode))
def test_a_terminated_grantee_gets_evidence_of_its_power_in_every_mode(mode: Mode) -> None:
    case = a_case(a_sight(EC1, hosts=(a_host(EC1, state=OFF),)), mode=mode)
    assert rules.evidence_is_visible(case)
    change = rules.write_evidence(case).change
    assert change is not None
    proof = Evidence(holder_of(EC1), EC1, EvidenceKind.POWER, NOW, "EC2 says terminated")
    assert change.evidence == (proof,)
    assert change.record.unfenced == ()
    assert change.record.holder == holder_of(EC1)


@pytest.mark.parametrize("state", [one for one in InstanceState if one is not OFF])
def test_no_other_state_is_evidence(state: InstanceState) -> None:
    sight = a_sight(EC1, hosts=(a_host(EC1, state=state),), departed=frozenset({holder_of(EC1)}))
    assert not rules.evidence_is_visible(a_case(sight))


def test_an_instance_not_shown_needs_the_activity_that_names_it() -> None:
    assert not rules.evidence_is_visible(a_case(a_sight(EC1, hosts=(), departed=frozenset({GONE}))))
    case = a_case(a_sight(EC1, hosts=(), departed=frozenset({holder_of(EC1)})))
    change = rules.write_evidence(case).change
    assert change is not None
    assert [one.kind for one in change.evidence] == [EvidenceKind.ACTIVITY]


def test_only_grantees_without_evidence_are_proven() -> None:
    stranger = a_host(EC1, "i-stranger", state=OFF)
    assert not rules.evidence_is_visible(a_case(a_sight(EC1, hosts=(a_host(EC1), stranger))))
    proven = a_sight(EC1, hosts=(a_host(EC1, state=OFF),), record=a_record(EC1, unfenced=()))
    assert not rules.evidence_is_visible(a_case(proven))


def test_who_is_not_off_stays_unfenced() -> None:
    record = in_failover(EC1, victims=(holder_of(EC1), GONE))
    record = a_record(EC1, operation=record.operation, unfenced=(holder_of(EC1), GONE))
    case = a_case(a_sight(EC1, record=record, hosts=(a_host(EC1, state=OFF),)))
    change = rules.write_evidence(case).change
    assert change is not None
    assert change.record.unfenced == (GONE,)


def test_hosts_that_could_not_be_read_prove_nothing() -> None:
    sight = a_sight(EC1, hosts=Unknown("throttled"), departed=frozenset({holder_of(EC1)}))
    assert not rules.evidence_is_visible(a_case(sight))


@pytest.mark.parametrize(("highest", "is_frozen"), [(0, False), (1, False), (2, True)])
def test_a_report_above_the_record_freezes(highest: int, is_frozen: bool) -> None:
    old = a_report(EC1, "i-old", highest_epoch=highest, epoch=0)
    case = a_case(a_sight(EC1, reports={old.instance: old}))
    assert rules.epoch_is_below_floor(case) is is_frozen


def test_any_epoch_without_a_record_freezes_and_names_the_command() -> None:
    case = a_case(a_sight(EC1, record=None))
    assert rules.epoch_is_below_floor(case)
    decision = rules.freeze_grants(case)
    assert decision.answer is Answer.ALERT
    assert "picoha adopt ec1 INSTANCE" in decision.sentence


def test_wrong_tags_are_held_with_what_is_wrong() -> None:
    case = a_case(a_sight(EC1, spec=None, problem="tag picoha:kind is 'x'"))
    assert rules.slot_is_misdeclared(case)
    assert "picoha:kind" in rules.hold_misdeclared(case).sentence
    assert not rules.slot_is_misdeclared(a_case(a_sight(EC1)))


@pytest.mark.parametrize("field", ["hosts", "group", "address"])
def test_any_failed_read_of_the_slot_is_held_and_named(field: str) -> None:
    unread: dict[str, Any] = {field: Unknown("throttled")}
    case = a_case(a_sight(PLATFORM, **unread))
    assert rules.cell_is_unreadable(case)
    assert f"{field} (throttled)" in rules.hold_unreadable(case).sentence
    assert not rules.cell_is_unreadable(a_case(a_sight(PLATFORM)))


def test_parked_is_desired_0_without_an_open_operation() -> None:
    group = a_group(EC1, min_size=0, desired=0)
    assert rules.slot_is_parked(a_case(a_sight(EC1, group=group)))
    assert not rules.slot_is_parked(a_case(a_sight(EC1, group=group, record=in_failover(EC1))))
    assert not rules.slot_is_parked(a_case(a_sight(EC1)))
    assert not rules.slot_is_parked(a_case(a_sight(EC1, group=None)))


def test_a_slot_without_a_group_is_retired() -> None:
    off = a_sight(EC1, group=None, hosts=(), record=a_record(EC1, unfenced=()))
    assert rules.slot_is_retired(a_case(off))
    assert rules.leave_retired(a_case(off)).answer is Answer.STEADY
    assert not rules.slot_is_retired(a_case(a_sight(EC1)))


@pytest.mark.parametrize(
    ("state", "is_armed", "answer"),
    [
        (InstanceState.RUNNING, True, Answer.ALERT),
        (InstanceState.RUNNING, False, Answer.HOLD),
        (InstanceState.SHUTTING_DOWN, True, Answer.HOLD),
        (None, True, Answer.HOLD),
    ],
)
def test_a_slot_that_lost_its_tags_while_a_host_lives_is_told(
    state: InstanceState | None, is_armed: bool, answer: Answer
) -> None:
    hosts = (a_host(EC1, state=state),) if state else ()
    case = a_case(a_sight(EC1, group=None, spec=None, hosts=hosts, record=a_record(EC1, is_armed=is_armed)))
    decision = decide_slot(case.seen, EC1, Policy())
    assert (decision.rule, decision.answer) == (115, answer)
    assert "i-ec1 is not proven off" in decision.sentence


def test_an_open_operation_whose_group_is_gone_is_not_silent() -> None:
    case = a_case(a_sight(EC1, group=None, record=in_failover(EC1)))
    assert decide_slot(case.seen, EC1, case.policy).answer is not Answer.STEADY
