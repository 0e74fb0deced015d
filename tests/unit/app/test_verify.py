"""`verify` on crafted ledgers: each broken promise is named, and its lawful neighbour is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NEW,
    NOW,
    PLATFORM,
    a_group,
    a_host,
    a_sight,
    a_spec,
    ago,
    an_observation,
    an_operation,
    decided,
    holder_of,
)
from picoha.app.ports import JournalRow
from picoha.app.snapshot import pack
from picoha.app.verify import Ledger, verify
from picoha.domain.actions import AbandonLaunch, FenceHost, FreeAddress
from picoha.domain.case import Observation
from picoha.domain.model import AssociationId, Evidence, EvidenceKind, InstanceId, InstanceState, SlotName
from picoha.domain.policy import Policy
from picoha.domain.record import RECOVERY_RULE, Brake, HistoryRow, Mode, Operation, Step, Verb

POLICY = Policy()
HOUR = 3600.0
THIRD = SlotName("ec3")
OLD = holder_of(EC1)
FREE = FreeAddress(AssociationId("eipassoc-1"), OLD)


def found(ledger: Ledger, policy: Policy = POLICY) -> list[str]:
    return verify(ledger, policy, NOW)


def an_op(slot: str, opened_s: float, ended_s: float | None = None, **fields: Any) -> Operation:
    """A failover admitted this long ago, still fencing or done; named after its slot and time."""
    opened, ended = ago(opened_s), ago(ended_s or 0)
    told: dict[str, Any] = {
        "id": f"{slot}-1-{int(opened_s)}",
        "opened_at": opened,
        "step_at": ended if ended_s is not None else opened,
        "trail": {"admitted": opened, "fencing": opened},
    }
    told["step"] = Step.FENCING if ended_s is None else Step.DONE
    return replace(an_operation(slot), **{**told, **fields})


def a_row(op: Operation, event: str, at: datetime, **fields: Any) -> HistoryRow:
    slot = SlotName(op.id.split("-")[0])
    return replace(HistoryRow(at, slot, 0, 445, event, "", Mode.ENFORCE, op.id), **fields)


def admitted(op: Operation, seen: Observation | None = None, **fields: Any) -> HistoryRow:
    return a_row(op, "admitted", op.opened_at, snapshot=pack(seen) if seen else "", **fields)


def a_ledger(*ops: Operation, rows: Sequence[HistoryRow] = (), **fields: Any) -> Ledger:
    history = sorted(rows, key=lambda row: row.at)
    return Ledger(operations={op.id: op for op in ops}, history=history, **fields)


def shown(*ops: Operation, seen: Observation | None = None, rows: Sequence[HistoryRow] = ()) -> Ledger:
    """A ledger with the admission, and for an ended one the end, of each operation."""
    begins = [admitted(op, seen) for op in ops]
    ends = [a_row(op, "done", op.step_at) for op in ops if op.is_ended]
    return a_ledger(*ops, rows=[*begins, *ends, *rows])


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
    seen_off = decided(a_sight(EC1, hosts=(a_host(EC1, state=InstanceState.TERMINATED),)))
    seen_gone = decided(a_sight(EC1, hosts=(), departed=frozenset({OLD})))
    for decision in (seen_off, seen_gone):
        assert decision.change is not None
        assert decision.change.evidence
        assert found(Ledger(evidence={one.instance: one for one in decision.change.evidence})) == []


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


# S8: the brake.


def of_ec1(*opened_h: float, **fields: Any) -> list[Operation]:
    return [an_op(EC1, hours * HOUR, hours * HOUR - 600, **fields) for hours in opened_h]


def test_s8_five_failovers_of_a_slot_within_the_window_of_the_brake() -> None:
    ops = of_ec1(6.0, 4.6, 3.2, 1.8, 0.4)
    assert [one for one in found(shown(*ops)) if "of ec1" in one] == [
        "S8: 5 automatic failovers of ec1 within 6:00:00 of 06:00:00 (limit 2)",
        "S8: 4 automatic failovers of ec1 within 6:00:00 of 07:24:00 (limit 2)",
        "S8: 3 automatic failovers of ec1 within 6:00:00 of 08:48:00 (limit 2)",
    ]
    assert found(a_ledger(*ops)) == found(shown(*ops))


def test_s8_two_failovers_of_a_slot_in_each_window_are_lawful() -> None:
    assert found(shown(*of_ec1(12.5, 9.0, 6.4, 2.0))) == []
    assert found(shown(*of_ec1(6.0, 3.0, 0.4)), Policy(brake_slot=3)) == []


@pytest.mark.parametrize(
    "fields", [{"rule": RECOVERY_RULE}, {"by": "anna"}, {"verb": Verb.SWITCHOVER}, {"verb": Verb.FIRST_GRANT}]
)
def test_s8_what_took_nothing_or_was_ordered_counts_for_nothing(fields: dict[str, Any]) -> None:
    assert found(shown(*of_ec1(6.0, 4.6, 3.2, 1.8, 0.4, **fields))) == []
    assert found(shown(*(an_op(one, 300, **fields) for one in (EC1, EC2, THIRD)))) == []


def test_s8_closing_the_breaker_begins_the_counts_anew() -> None:
    before, after = of_ec1(2.0, 1.5), of_ec1(1.0, 0.5)
    closed = HistoryRow(ago(1.2 * HOUR), SlotName("*"), 3, 0, "breaker-closed", "", Mode.ENFORCE)
    assert found(shown(*before, *after, rows=[closed])) == []
    assert found(shown(*before, *after)) != []


def test_s8_four_failovers_of_a_cell_in_an_hour() -> None:
    ops = [an_op(slot, s, s - 300) for slot, s in ((EC1, 3500), (EC2, 2500), (THIRD, 1500), (PLATFORM, 500))]
    assert found(shown(*ops)) == ["S8: 4 automatic failovers within 1:00:00 of 11:01:40 (limit 3)"]
    assert found(shown(*ops[1:])) == []


def test_s8_of_what_began_before_the_period_nobody_knows_who_closed_the_breaker() -> None:
    early, *ops = of_ec1(3.0, 2.0, 1.0)
    ledger = shown(*ops, rows=[a_row(early, "done", early.step_at)])
    assert found(replace(ledger, operations={**ledger.operations, early.id: early})) == []


# S8: in flight.


def in_cell(*sights: Any, **fields: Any) -> Observation:
    return an_observation(a_sight(THIRD), *sights, **fields)


def crowded(first: Operation, second: Operation, seen: Observation | None = None, **fields: Any) -> list[str]:
    return found(shown(first, second, seen=seen or in_cell(), **fields))


def test_s8_a_second_execution_slot_is_not_admitted_while_one_is_in_flight() -> None:
    first, second = an_op(EC1, 400, 100), an_op(EC2, 300)
    said = [f"S8: {second.id} was admitted while ec1 was failing over (limit 1)"]
    assert crowded(first, second) == said
    assert crowded(an_op(EC1, 400), second) == said
    assert found(shown(first, second, seen=in_cell()), Policy(executions_in_flight=2)) == []


def test_s8_one_after_the_other_is_lawful_and_so_near_to_the_end_nothing_is_certain() -> None:
    second = an_op(EC2, 300)
    assert crowded(an_op(EC1, 600, 301), second) == []
    assert crowded(an_op(EC1, 600, 250), second) == []
    assert crowded(an_op(EC1, 600, 220), second) != []


def test_s8_the_platform_has_its_own_lane() -> None:
    assert crowded(an_op(PLATFORM, 400), an_op(EC1, 300)) == []
    assert crowded(an_op(EC1, 400), an_op(PLATFORM, 300)) == []


@pytest.mark.parametrize("fields", [{"rule": RECOVERY_RULE}, {"by": "anna"}])
def test_s8_only_automatic_taking_is_in_flight(fields: dict[str, Any]) -> None:
    assert crowded(an_op(EC1, 400, **fields), an_op(EC2, 300)) == []
    assert crowded(an_op(EC1, 400), an_op(EC2, 300, **fields)) == []


def test_s8_who_waits_for_an_operator_is_not_in_flight() -> None:
    first, second = an_op(EC1, 2000), an_op(EC2, 300)
    stuck, resumed = a_row(first, "needs-operator", ago(1000)), a_row(first, "resumed", ago(600))
    waiting = replace(first, step=Step.NEEDS_OPERATOR, stuck_in=Step.FENCING, step_at=ago(1000))
    assert crowded(waiting, second, rows=[stuck]) == []
    assert crowded(first, second, rows=[stuck, replace(resumed, at=ago(310))]) == []
    assert crowded(first, second, rows=[stuck, replace(resumed, at=ago(200))]) == []
    assert crowded(first, second, rows=[stuck, resumed]) != []
    assert crowded(first, second, rows=[replace(stuck, at=ago(100))]) != []


def test_s8_an_operation_that_began_before_the_period_may_have_waited_for_an_operator() -> None:
    first, second = an_op(EC1, 9000, 50), an_op(EC2, 300)
    rows = [admitted(second, in_cell()), a_row(first, "resumed", ago(200)), a_row(first, "done", ago(50))]
    assert found(a_ledger(first, second, rows=rows)) == []
    rows[1] = a_row(first, "resumed", ago(600))
    assert found(a_ledger(first, second, rows=rows)) != []
    still = an_op(EC1, 9000, step_at=ago(600))
    assert found(a_ledger(still, second, rows=rows[:1])) != []
    assert found(a_ledger(replace(still, step_at=ago(310)), second, rows=rows[:1])) == []


def test_s8_a_parked_slot_is_not_in_flight() -> None:
    parked = in_cell(a_sight(EC1, group=replace(a_group(EC1), min_size=0, desired=0)))
    assert crowded(an_op(EC1, 400), an_op(EC2, 300), parked) == []


def test_s8_without_kinds_one_slot_may_be_the_platform() -> None:
    ops = [an_op(slot, s) for slot, s in ((EC1, 400), (EC2, 300), (THIRD, 200))]
    assert found(a_ledger(*ops[:2])) == []
    said = [f"S8: {ops[2].id} was admitted while ec1, ec2 was failing over (limit 1)"]
    assert found(a_ledger(*ops)) == said
    unreadable = [replace(admitted(op), snapshot="not one") for op in ops]
    assert found(a_ledger(*ops, rows=unreadable)) == said


def test_s8_without_an_observation_who_waits_for_a_host_may_be_parked() -> None:
    times = {"admitted": ago(400), "fencing": ago(400), "awaiting-host": ago(350)}
    ops = [an_op(EC1, 400, trail=times), an_op(EC2, 300), an_op(THIRD, 200)]
    assert found(a_ledger(*ops)) == []
    ops[0] = replace(ops[0], trail={**times, "addressing": ago(340)})
    assert found(a_ledger(*ops)) != []
    ops[0] = replace(ops[0], victims=(OLD, NEW))
    assert found(a_ledger(*ops)) == []


def test_s8_without_rows_an_operation_tells_its_own_begin_and_end() -> None:
    last = an_op(THIRD, 300)
    said = [f"S8: {last.id} was admitted while ec1, ec2 was failing over (limit 1)"]
    for first, expected in (
        (an_op(EC1, 320), said),
        (an_op(EC1, 400, 200), said),
        (an_op(EC1, 400, 250), []),
    ):
        assert found(a_ledger(first, an_op(EC2, 310, 100), last))[-1:] == expected
    later = {"admitted": ago(400), "fencing": ago(400), "awaiting-host": ago(200)}
    assert found(a_ledger(an_op(EC1, 400, trail=later), an_op(EC2, 310), last)) == said


def test_s8_an_operation_of_the_same_slot_is_no_other_slot() -> None:
    first, second = an_op(EC1, 400), an_op(EC1, 300)
    assert crowded(first, second) == [f"S10: {second.id} was admitted while {first.id} was open"]


def test_s8_rows_of_an_older_operation_of_that_name_tell_nothing() -> None:
    """A restored table may give a name again."""
    first, second = an_op(EC1, 320), an_op(EC2, 300)
    kinds = in_cell(a_sight(EC1, spec=a_spec(PLATFORM)))
    old = [a_row(first, "admitted", ago(9000)), a_row(first, "needs-operator", ago(8000))]
    old += [a_row(first, "aborted", ago(7000)), a_row(second, "admitted", ago(6000), snapshot=pack(kinds))]
    old += [a_row(second, "aborted", ago(5000))]
    assert crowded(first, second, rows=old) == crowded(first, second) != []


# S8: the storm.

ROOMY = Policy(executions_in_flight=9, brake_hour=9)


def stormed(first_zone: str = "a", policy: Policy = ROOMY, **fields: Any) -> list[str]:
    """Three of four slots, one after the other; the last one in zone b."""
    ops = [
        an_op(EC1, 900, 500, zone=first_zone),
        an_op(EC2, 700, zone="b"),
        an_op(THIRD, 300, zone="b"),
    ]
    return found(shown(*ops, seen=in_cell(**fields)), policy)


def test_s8_a_third_slot_of_four_in_two_zones_is_a_storm() -> None:
    assert stormed() == ["S8: ec3-1-300 was admitted in a storm: 3 of 4 slots (limit 2)"]


def test_s8_one_zone_alone_or_a_release_or_a_higher_limit_lets_it_pass() -> None:
    assert stormed("b") == []
    assert stormed("") == []
    assert stormed(brake=Brake(ver=1, storm_released_until=ago(-60))) == []
    assert stormed(brake=Brake(ver=1, storm_released_until=ago(600))) != []
    assert stormed(policy=replace(ROOMY, storm_floor=3)) == []


def test_s8_where_the_zone_of_a_victim_is_not_certain_there_is_no_storm() -> None:
    ops = [an_op(EC1, 900, 500, zone="a"), an_op(EC2, 700, zone="b"), an_op(THIRD, 300, zone="b")]
    assert found(shown(*ops[:2], replace(ops[2], zone=""), seen=in_cell()), ROOMY) == []
    moved = replace(ops[0], victims=(OLD, NEW))
    assert found(shown(moved, *ops[1:], seen=in_cell()), ROOMY) == []


def test_s8_an_operation_that_is_aborted_later_was_part_of_the_storm() -> None:
    others = [an_op(EC2, 700, zone="b"), an_op(THIRD, 300, zone="b")]
    aborted = an_op(EC1, 900, 100, zone="a", step=Step.ABORTED)
    assert found(shown(aborted, *others, seen=in_cell()), ROOMY) != []
    assert found(shown(replace(aborted, step_at=ago(400)), *others, seen=in_cell()), ROOMY) == []


def test_s8_who_was_replaced_long_ago_is_no_part_of_a_storm() -> None:
    ops = [an_op(EC1, 3500, 3000, zone="a"), an_op(EC2, 700, zone="b"), an_op(THIRD, 300, zone="b")]
    assert found(shown(*ops, seen=in_cell()), ROOMY) == []


def test_s8_a_parked_slot_is_no_part_of_a_storm() -> None:
    parked = a_sight(EC2, group=replace(a_group(EC2), min_size=0, desired=0))
    ops = [an_op(EC1, 900, 500, zone="a"), an_op(EC2, 700, zone="b"), an_op(THIRD, 300, zone="b")]
    assert found(shown(*ops, seen=in_cell(parked)), ROOMY) == []


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
