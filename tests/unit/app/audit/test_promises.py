"""`verify` on crafted ledgers: each broken promise is named, its lawful neighbour is not (S8: apart)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NEW,
    a_host,
    a_slot,
    ago,
    decided,
    holder_of,
)
from picoha.domain.actions import AbandonLaunch, FenceHost, FreeAddress
from picoha.domain.ledger import JournalRow, Ledger
from picoha.domain.model import AssociationId, Evidence, EvidenceKind, InstanceId, InstanceState
from picoha.domain.record import Operation, Step
from unit.app.audit.ledgers import a_ledger, a_row, admitted, an_op, found, shown

OLD = holder_of(EC1)
FREE = FreeAddress(AssociationId("eipassoc-1"), OLD)


# S4.


def a_proof(kind: EvidenceKind, detail: str, by: str = "controller") -> Ledger:
    return Ledger(evidence={OLD: Evidence(OLD, EC1, kind, ago(60), detail, by)})


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        (EvidenceKind.POWER, "EC2 says shutting-down"),
        (EvidenceKind.POWER, "EC2 says stopped"),
        (EvidenceKind.POWER, "its group's activity says it was terminated successfully"),
        (EvidenceKind.ACTIVITY, "its group's activity is in progress"),
    ],
)
def test_s4_evidence_of_another_sentence_is_no_proof(kind: EvidenceKind, detail: str) -> None:
    assert found(a_proof(kind, detail)) == [f"S4: the {kind} evidence of {OLD} is no proof: {detail}"]


def test_s4_what_the_guards_write_is_proof() -> None:
    seen_off = decided(a_slot(EC1, hosts=(a_host(EC1, state=InstanceState.TERMINATED),)))
    seen_gone = decided(a_slot(EC1, hosts=(), departed=frozenset({OLD})))
    for decision in (seen_off, seen_gone):
        assert decision.change is not None
        assert decision.change.evidence
        assert found(Ledger(evidence={proof.instance: proof for proof in decision.change.evidence})) == []


def test_s4_a_human_may_say_it_in_own_words_but_not_without_a_name() -> None:
    assert found(a_proof(EvidenceKind.OPERATOR, "I pulled the plug", "anna")) == []
    assert found(a_proof(EvidenceKind.OPERATOR, "I pulled the plug")) == [
        f"S4: the evidence of {OLD} names no source"
    ]


# S5 and S6.


def called(action: object, op: Operation, **seen_s: float) -> list[str]:
    """What is said of a call 30 s ago; `seen_s` are the ages of the evidence of ec1's hosts."""
    ids = {"old": OLD, "new": NEW, "other": holder_of(EC2)}
    evidence = {
        ids[name]: Evidence(ids[name], EC1, EvidenceKind.POWER, ago(age), "EC2 says terminated")
        for name, age in seen_s.items()
    }
    row = JournalRow(op.id, 1, 1, str(action), ago(30))
    return found(a_ledger(op, rows=[admitted(op)], evidence=evidence, journal=[row]))


def test_s5_an_address_is_freed_after_the_evidence_of_its_victim() -> None:
    op = an_op(EC1, 300)
    unproven = f"S5: {FREE} of {op.id} was ordered before {OLD} was proven off"
    assert called(FREE, op, old=40) == []
    assert called(FREE, op) == [unproven]
    assert called(FREE, op, old=20) == [unproven]
    assert called(FREE, op, other=40) == [unproven]


def test_s5_the_evidence_of_one_victim_is_not_that_of_another() -> None:
    op = an_op(EC1, 300, victims=(OLD, NEW), victim=NEW)
    assert called(FREE, op, old=100, new=40) == []
    assert called(FREE, op, old=100) == [f"S5: {FREE} of {op.id} was ordered before {NEW} was proven off"]
    assert called(FREE, op, new=40) == [f"S5: {FREE} of {op.id} was ordered before {OLD} was proven off"]


def test_s5_who_became_a_victim_after_the_call_needed_no_evidence_then() -> None:
    op = an_op(EC1, 300, victims=(OLD, NEW), victim=NEW)
    op = replace(op, trail={"admitted": ago(300), "fencing": ago(10)})
    assert called(FREE, op, old=100) == []
    assert called(FREE, op) == [f"S5: {FREE} of {op.id} was ordered before {OLD} was proven off"]


def test_s5_without_a_victim_no_address_is_freed() -> None:
    op = an_op(EC1, 300, victim=None, victims=())
    assert called(FREE, op) == [f"S5: {FREE} of {op.id} was ordered before a victim was proven off"]


def test_s6_an_abandoned_launch_is_that_of_a_victim_proven_before() -> None:
    op = an_op(EC1, 300, victims=(OLD, NEW), victim=NEW)
    action = AbandonLaunch("demo-ec1", NEW)
    unproven = f"S6: {action} of {op.id} was ordered before {NEW} was proven off"
    assert called(action, op, new=40) == []
    assert called(action, op, old=100) == [unproven]
    assert called(action, op, new=20) == [unproven]
    stranger = AbandonLaunch("demo-ec1", InstanceId("i-else"))
    assert called(stranger, op, new=40) == [f"S6: {stranger} of {op.id} aims at no victim"]


def test_s6_a_bystander_is_not_fenced() -> None:
    op = an_op(EC1, 300)
    assert called(FenceHost(OLD, force=True), op) == []
    other = FenceHost(holder_of(EC2))
    assert called(other, op) == [f"S6: {other} of {op.id} aims at no victim"]


# S13.


def unanswered(op: Operation, *results: tuple[int, float]) -> list[str]:
    """What is said of a call 400 s ago; each result is the number of its intent and its age."""
    sent = JournalRow(op.id, 1, 1, str(FenceHost(OLD)), ago(400))
    noted = [JournalRow(op.id, number, 1, "", ago(age), "accepted") for number, age in results]
    return found(a_ledger(op, rows=[admitted(op)], journal=[sent, *noted]))


def test_s13_a_call_without_a_result_is_named_while_nothing_went_on() -> None:
    op = an_op(EC1, 500)
    gap = [f"S13: {FenceHost(OLD)} of {op.id} at {ago(400):%H:%M:%S} has no result"]
    assert unanswered(op) == gap
    assert unanswered(op, (2, 401)) == gap
    assert unanswered(op, (1, 399)) == []


def test_s13_a_result_that_a_crash_lost_is_no_gap_once_the_operation_went_on() -> None:
    op = an_op(EC1, 500)
    assert unanswered(op, (2, 200)) == []
    assert unanswered(replace(op, step=Step.NEEDS_OPERATOR, stuck_in=Step.FENCING, step_at=ago(300))) == []
    assert unanswered(an_op(EC1, 500, 100)) == []


def test_s13_of_a_call_a_moment_ago_no_result_is_expected_yet() -> None:
    op = an_op(EC1, 500)
    row = JournalRow(op.id, 1, 1, str(FenceHost(OLD)), ago(299))
    assert found(a_ledger(op, rows=[admitted(op)], journal=[row])) == []


# S10.


def ordered(slot: str, opened_s: float, ended_s: float | None = None, **fields: Any) -> Operation:
    return an_op(slot, opened_s, ended_s, **{"by": "anna", **fields})


def test_s10_a_second_operation_of_a_slot_is_not_admitted_while_one_is_open() -> None:
    first, second = ordered(EC1, 900, 200), ordered(EC1, 500, 100)
    said = [f"S10: {second.id} was admitted while {first.id} was open"]
    assert found(shown(first, second)) == said
    assert found(shown(replace(first, step_at=ago(500)), second)) == []
    assert found(shown(first, ordered(EC2, 500, 100))) == []


def test_s10_an_operation_that_began_before_the_period_is_open_too() -> None:
    second = ordered(EC1, 500, 100)
    rows = [admitted(second), a_row(second, "done", ago(100))]
    still, ended = ordered(EC1, 9000), ordered(EC1, 9000, 200)
    said = [f"S10: {second.id} was admitted while {still.id} was open"]
    assert found(a_ledger(still, second, rows=rows)) == said
    assert found(a_ledger(ended, second, rows=[*rows, a_row(ended, "done", ago(200))])) == said
    assert found(a_ledger(ended, second, rows=rows)) == said
    over = ordered(EC1, 9000, 600)
    assert found(a_ledger(over, second, rows=[*rows, a_row(over, "done", ago(600))])) == []
    assert found(a_ledger(ordered(EC1, 50), second, rows=rows)) == []


def test_s10_the_versions_of_the_record_tell_better_than_two_clocks() -> None:
    first, second = ordered(EC1, 900, 499), ordered(EC1, 500)
    rows = [admitted(first, ver=3), a_row(first, "done", ago(499), ver=7), admitted(second, ver=8)]
    assert found(a_ledger(first, second, rows=rows)) == []
    rows[1] = replace(rows[1], ver=9)
    assert found(a_ledger(first, second, rows=rows)) != []


def test_s10_rows_alone_tell_it_too() -> None:
    first, second = ordered(EC1, 900), ordered(EC1, 500)
    assert found(Ledger(history=[admitted(first), admitted(second)])) != []
    aborted = a_row(first, "aborted", ago(600))
    assert found(Ledger(history=[admitted(first), aborted, admitted(second)])) == []


def test_a_ledger_of_nothing_breaks_nothing() -> None:
    assert found(Ledger()) == []
