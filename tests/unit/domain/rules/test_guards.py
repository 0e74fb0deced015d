"""Rules 1xx: readable, understood, consistent; and evidence, written in every mode."""

from __future__ import annotations

from typing import Any

import pytest

from builders import (
    EC1,
    NOW,
    PLATFORM,
    a_group,
    a_host,
    a_record,
    a_report,
    a_situation,
    a_slot,
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
    situation = a_situation(a_slot(EC1), memory=Unknown("throttled"))
    assert rules.memory_is_unreadable(situation)
    decision = rules.hold_without_memory(situation)
    assert (decision.answer, decision.change, decision.actions) == (Answer.HOLD, None, ())
    assert "throttled" in decision.sentence
    assert not rules.memory_is_unreadable(a_situation(a_slot(EC1)))


def test_a_newer_record_is_left_alone() -> None:
    situation = a_situation(a_slot(EC1, newer="schema 2"))
    assert rules.record_is_newer(situation)
    assert rules.leave_newer_alone(situation).change is None
    assert not rules.record_is_newer(a_situation(a_slot(EC1)))


@pytest.mark.parametrize("mode", list(Mode))
def test_a_terminated_grantee_gets_evidence_of_its_power_in_every_mode(mode: Mode) -> None:
    situation = a_situation(a_slot(EC1, hosts=(a_host(EC1, state=OFF),)), mode=mode)
    assert rules.evidence_is_visible(situation)
    change = rules.write_evidence(situation).change
    assert change is not None
    proof = Evidence(holder_of(EC1), EC1, EvidenceKind.POWER, NOW, "EC2 says terminated")
    assert change.evidence == (proof,)
    assert change.record.unfenced == ()
    assert change.record.holder == holder_of(EC1)


@pytest.mark.parametrize("state", [one for one in InstanceState if one is not OFF])
def test_no_other_state_is_evidence(state: InstanceState) -> None:
    observed = a_slot(EC1, hosts=(a_host(EC1, state=state),), departed=frozenset({holder_of(EC1)}))
    assert not rules.evidence_is_visible(a_situation(observed))


def test_an_instance_not_shown_needs_the_activity_that_names_it() -> None:
    assert not rules.evidence_is_visible(a_situation(a_slot(EC1, hosts=(), departed=frozenset({GONE}))))
    situation = a_situation(a_slot(EC1, hosts=(), departed=frozenset({holder_of(EC1)})))
    change = rules.write_evidence(situation).change
    assert change is not None
    assert [proof.kind for proof in change.evidence] == [EvidenceKind.ACTIVITY]


def test_only_grantees_without_evidence_are_proven() -> None:
    stranger = a_host(EC1, "i-stranger", state=OFF)
    assert not rules.evidence_is_visible(a_situation(a_slot(EC1, hosts=(a_host(EC1), stranger))))
    proven = a_slot(EC1, hosts=(a_host(EC1, state=OFF),), record=a_record(EC1, unfenced=()))
    assert not rules.evidence_is_visible(a_situation(proven))


def test_who_is_not_off_stays_unfenced() -> None:
    record = in_failover(EC1, victims=(holder_of(EC1), GONE))
    record = a_record(EC1, operation=record.operation, unfenced=(holder_of(EC1), GONE))
    situation = a_situation(a_slot(EC1, record=record, hosts=(a_host(EC1, state=OFF),)))
    change = rules.write_evidence(situation).change
    assert change is not None
    assert change.record.unfenced == (GONE,)


def test_hosts_that_could_not_be_read_prove_nothing() -> None:
    observed = a_slot(EC1, hosts=Unknown("throttled"), departed=frozenset({holder_of(EC1)}))
    assert not rules.evidence_is_visible(a_situation(observed))


@pytest.mark.parametrize(("highest", "is_frozen"), [(0, False), (1, False), (2, True)])
def test_a_report_above_the_record_freezes(highest: int, is_frozen: bool) -> None:
    old = a_report(EC1, "i-old", highest_epoch=highest, epoch=0)
    situation = a_situation(a_slot(EC1, reports={old.instance: old}))
    assert rules.epoch_is_below_floor(situation) is is_frozen


def test_any_epoch_without_a_record_freezes_and_names_the_command() -> None:
    situation = a_situation(a_slot(EC1, record=None))
    assert rules.epoch_is_below_floor(situation)
    decision = rules.freeze_grants(situation)
    assert decision.answer is Answer.ALERT
    assert "picoha adopt ec1 INSTANCE" in decision.sentence


def test_wrong_tags_are_held_with_what_is_wrong() -> None:
    situation = a_situation(a_slot(EC1, spec=None, problem="tag picoha:kind is 'x'"))
    assert rules.slot_is_misdeclared(situation)
    assert "picoha:kind" in rules.hold_misdeclared(situation).sentence
    assert not rules.slot_is_misdeclared(a_situation(a_slot(EC1)))


@pytest.mark.parametrize("field", ["hosts", "group", "address"])
def test_any_failed_read_of_the_slot_is_held_and_named(field: str) -> None:
    unread: dict[str, Any] = {field: Unknown("throttled")}
    situation = a_situation(a_slot(PLATFORM, **unread))
    assert rules.cell_is_unreadable(situation)
    assert f"{field} (throttled)" in rules.hold_unreadable(situation).sentence
    assert not rules.cell_is_unreadable(a_situation(a_slot(PLATFORM)))


def test_parked_is_desired_0_without_an_open_operation() -> None:
    group = a_group(EC1, min_size=0, desired=0)
    assert rules.slot_is_parked(a_situation(a_slot(EC1, group=group)))
    assert not rules.slot_is_parked(a_situation(a_slot(EC1, group=group, record=in_failover(EC1))))
    assert not rules.slot_is_parked(a_situation(a_slot(EC1)))
    assert not rules.slot_is_parked(a_situation(a_slot(EC1, group=None)))


def test_a_slot_without_a_group_is_retired() -> None:
    off = a_slot(EC1, group=None, hosts=(), record=a_record(EC1, unfenced=()))
    assert rules.slot_is_retired(a_situation(off))
    assert rules.leave_retired(a_situation(off)).answer is Answer.STEADY
    assert not rules.slot_is_retired(a_situation(a_slot(EC1)))


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
    situation = a_situation(
        a_slot(EC1, group=None, spec=None, hosts=hosts, record=a_record(EC1, is_armed=is_armed))
    )
    decision = decide_slot(situation.seen, EC1, Policy())
    assert (decision.rule, decision.answer) == (115, answer)
    assert "i-ec1 is not proven off" in decision.sentence


def test_an_open_operation_whose_group_is_gone_is_not_silent() -> None:
    situation = a_situation(a_slot(EC1, group=None, record=in_failover(EC1)))
    assert decide_slot(situation.seen, EC1, situation.policy).answer is not Answer.STEADY
