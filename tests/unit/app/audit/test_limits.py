"""`verify` of S8 on crafted ledgers: the brake, what is in flight, the storm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NEW,
    PLATFORM,
    a_group,
    a_slot,
    a_spec,
    ago,
    an_observation,
    holder_of,
)
from picoha.app.snapshot import pack
from picoha.domain.model import SlotName
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import RECOVERY_RULE, Brake, HistoryRow, Mode, Operation, Step, Verb
from unit.app.audit.ledgers import THIRD, a_ledger, a_row, admitted, an_op, found, shown

HOUR = 3600.0
OLD = holder_of(EC1)


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


def in_cell(*observed_slots: Any, **fields: Any) -> Observation:
    return an_observation(a_slot(THIRD), *observed_slots, **fields)


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
    parked = in_cell(a_slot(EC1, group=replace(a_group(EC1), min_size=0, desired=0)))
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
    kinds = in_cell(a_slot(EC1, spec=a_spec(PLATFORM)))
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
    parked = a_slot(EC2, group=replace(a_group(EC2), min_size=0, desired=0))
    ops = [an_op(EC1, 900, 500, zone="a"), an_op(EC2, 700, zone="b"), an_op(THIRD, 300, zone="b")]
    assert found(shown(*ops, seen=in_cell(parked)), ROOMY) == []
