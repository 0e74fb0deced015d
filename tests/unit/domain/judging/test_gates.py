"""Each gate, open and just closed; the golden cases show them through the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    PLATFORM,
    a_dependency,
    a_group,
    a_host,
    a_record,
    a_sick_report,
    a_silent_slot,
    a_situation,
    a_slot,
    a_spec,
    a_vacant_record,
    ago,
    holder_of,
    in_failover,
    paused,
)
from picoha.domain.judging import gates
from picoha.domain.judging.storm import storm, storm_count
from picoha.domain.model import InstanceState, Unknown
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Brake, Mode, ModeRecord, Pause, Step, Verb
from picoha.domain.situation import Situation, needs_operator


def stopped(slot: str, zone: str = "a") -> SlotObservation:
    return a_slot(slot, hosts=(a_host(slot, state=InstanceState.STOPPED, zone=zone),))


def braked(**admitted: tuple[datetime, ...]) -> Situation:
    return a_situation(a_slot(EC1), brake=Brake(ver=1, admitted=admitted))


STRICT = Policy(storm_floor=1, storm_percent=1)


def test_mode_is_open_only_in_enforce_for_a_fenceable_slot() -> None:
    assert gates.mode(a_situation(a_slot(EC1))).is_open
    assert "observe" in gates.mode(a_situation(a_slot(EC1), mode=Mode.OBSERVE)).sentence
    unsigned = gates.mode(a_situation(a_slot(EC1, spec=a_spec(EC1, fenceable=False))))
    assert not unsigned.is_open
    assert "picoha:fenceable=true" in unsigned.sentence
    assert not gates.mode(a_situation(a_slot(EC1, spec=None, problem="wrong tag"))).is_open


@pytest.mark.parametrize("key", ["*", EC1])
@pytest.mark.parametrize(("left", "is_open"), [(1, False), (-599, False), (-600, True)])
def test_a_pause_closes_until_10_min_after_its_end(key: str, left: float, is_open: bool) -> None:
    seen = a_situation(a_slot(EC1), mode=Mode.ENFORCE)
    situation = Situation(replace(seen.seen, mode=paused(left, key)), seen.observed, seen.policy)
    assert gates.pause(situation).is_open is is_open


def test_a_pause_of_another_slot_does_not_close() -> None:
    situation = a_situation(a_slot(EC1))
    assert gates.pause(replace(situation, seen=replace(situation.seen, mode=paused(60, EC2)))).is_open


def test_a_cells_pause_closes_although_the_slots_own_is_long_over() -> None:
    over = Pause("done", "anna", ago(9000), ago(7000))
    now = Pause("upgrade", "ben", ago(60), ago(-60))
    mode = ModeRecord(ver=1, mode=Mode.ENFORCE, pauses={EC1: over, "*": now})
    situation = a_situation(a_slot(EC1))
    gate = gates.pause(replace(situation, seen=replace(situation.seen, mode=mode)))
    assert not gate.is_open
    assert "ben" in gate.sentence


@pytest.mark.parametrize(
    ("answers", "is_open"),
    [
        ({}, True),
        ({"rds:mz-db": True, "efs:fs-1": True}, True),
        ({"rds:mz-db": True, "efs:fs-1": False}, False),
        ({"rds:mz-db": Unknown("throttled")}, False),
    ],
)
def test_every_dependency_must_be_known_to_be_up(answers: dict[str, Any], is_open: bool) -> None:
    assert gates.dependencies(a_situation(a_slot(EC1, dependencies=answers))).is_open is is_open


@pytest.mark.parametrize("record", [a_vacant_record(PLATFORM), in_failover(PLATFORM), None])
def test_an_execution_slot_waits_for_an_active_platform(record: Any) -> None:
    assert not gates.platform_first(a_situation(a_slot(EC1), a_slot(PLATFORM, record=record))).is_open
    assert gates.platform_first(a_situation(a_slot(PLATFORM, record=record))).is_open


def test_a_cell_without_a_platform_waits_for_none() -> None:
    situation = a_situation(a_slot(EC1))
    alone = replace(situation.seen, slots=(situation.observed,))
    assert gates.platform_first(replace(situation, seen=alone)).is_open
    assert gates.explained(replace(situation, seen=alone)).is_open


@pytest.mark.parametrize(("seconds", "is_open"), [(299, False), (300, True)])
def test_an_ec_is_explained_until_5_min_after_the_platform_is_active(seconds: float, is_open: bool) -> None:
    platform = a_slot(PLATFORM, record=a_record(PLATFORM, active_since=ago(seconds)))
    sick = a_slot(EC1, reports={holder_of(EC1): a_sick_report(EC1)})
    assert gates.explained(a_situation(sick, platform)).is_open is is_open
    assert gates.explained(a_situation(platform)).is_open


def test_a_silent_host_is_not_explained_by_the_platform() -> None:
    platform = a_slot(PLATFORM, record=a_record(PLATFORM, active_since=ago(10)))
    assert gates.explained(a_situation(a_silent_slot(EC1, 95), platform)).is_open


def test_an_adopted_platform_explains_nothing() -> None:
    platform = a_slot(PLATFORM, record=a_record(PLATFORM, active_since=None))
    sick = a_slot(EC1, reports={holder_of(EC1): a_sick_report(EC1)})
    assert gates.explained(a_situation(sick, platform)).is_open


@pytest.mark.parametrize(
    ("record", "is_open"), [(a_record(EC2), True), (in_failover(EC2), False), (None, False)]
)
def test_slots_named_first_must_be_active(record: Any, is_open: bool) -> None:
    spec = a_spec(EC1, depends_on=(a_dependency("tcp:db:1521"), a_dependency(f"slot:{EC2}")))
    situation = a_situation(a_slot(EC1, spec=spec), a_slot(EC2, record=record))
    assert gates.slot_order(situation).is_open is is_open


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 2, 1), (1, 2, 2), (2, 2, 2)])
def test_only_a_group_of_exactly_one_is_taken_from(sizes: tuple[int, int, int]) -> None:
    small, large, desired = sizes
    group = a_group(EC1, min_size=small, max_size=large, desired=desired)
    assert not gates.shape(a_situation(a_slot(EC1, group=group))).is_open
    assert gates.shape(a_situation(a_slot(EC1))).is_open


def test_a_slot_without_a_group_has_no_shape() -> None:
    assert not gates.shape(a_situation(a_slot(EC1, group=None))).is_open


@pytest.mark.parametrize(("age", "is_open"), [(599, False), (600, True)])
def test_a_new_host_has_10_min_of_grace(age: float, is_open: bool) -> None:
    situation = a_situation(a_slot(EC1, hosts=(a_host(EC1, launched_at=ago(age)),)))
    assert gates.first_seen(situation).is_open is is_open


@pytest.mark.parametrize(("silence", "is_open"), [(599, False), (600, True)])
def test_a_planned_event_holds_10_min_of_silence(silence: float, is_open: bool) -> None:
    hosts = (a_host(EC1, planned_event="system-maintenance"),)
    assert gates.planned_event(a_situation(a_silent_slot(EC1, silence, hosts=hosts))).is_open is is_open


@pytest.mark.parametrize("hosts", [(), (a_host(EC1),)])
def test_a_host_without_a_planned_event_or_unseen_is_not_held_by_one(hosts: Any) -> None:
    assert gates.planned_event(a_situation(a_slot(EC1, hosts=hosts))).is_open


@pytest.mark.parametrize(("seconds", "is_open"), [(1799, False), (1800, True)])
def test_a_slot_cools_down_for_30_min(seconds: float, is_open: bool) -> None:
    situation = a_situation(a_slot(EC1, record=a_record(EC1, ended_at=ago(seconds))))
    assert gates.cool_down(situation).is_open is is_open


def test_a_slot_without_an_automatic_operation_is_rested() -> None:
    assert gates.cool_down(a_situation(a_slot(EC1))).is_open


@pytest.mark.parametrize(
    ("admitted", "is_open"),
    [
        ({EC1: (ago(7200),)}, True),
        ({EC1: (ago(7200), ago(3601))}, False),
        ({EC1: (ago(21600), ago(3601))}, True),
        ({EC2: (ago(10), ago(20))}, True),
        ({EC2: (ago(10), ago(20)), PLATFORM: (ago(3599),)}, False),
        ({EC2: (ago(10), ago(20)), PLATFORM: (ago(3600),)}, True),
        ({EC2: tuple(ago(4000 + n) for n in range(5))}, True),
        ({EC2: (*(ago(4000 + n) for n in range(5)), ago(86399))}, False),
        ({EC2: (*(ago(4000 + n) for n in range(5)), ago(86400))}, True),
    ],
)
def test_the_brake_counts_2_a_slot_3_an_hour_6_a_day(admitted: Any, is_open: bool) -> None:
    assert gates.brake(braked(**admitted)).is_open is is_open
    assert (gates.brake_limit(braked(**admitted)) is None) is is_open


def test_an_open_breaker_closes_the_gate_whatever_was_counted() -> None:
    situation = a_situation(a_slot(EC1), brake=Brake(ver=1, is_open=True, opened_because="twice"))
    assert gates.brake(situation).sentence.startswith("the breaker is open: twice")
    assert gates.brake_limit(situation) is None


def test_one_execution_failover_at_a_time_and_the_platform_in_its_own_lane() -> None:
    busy = a_slot(EC2, record=in_failover(EC2))
    assert not gates.in_flight(a_situation(a_slot(EC1), busy)).is_open
    assert gates.in_flight(a_situation(a_slot(EC1), busy, policy=Policy(executions_in_flight=2))).is_open
    assert gates.in_flight(a_situation(a_slot(PLATFORM), busy)).is_open
    assert gates.in_flight(a_situation(a_slot(EC1), a_slot(PLATFORM, record=in_failover(PLATFORM)))).is_open


def test_a_failover_that_a_parked_group_keeps_waiting_blocks_nobody_and_is_no_storm() -> None:
    waiting = a_slot(EC2, record=in_failover(EC2, Step.AWAITING_HOST))
    parked = replace(waiting, group=a_group(EC2, desired=0))
    for observed, is_counted in ((waiting, True), (parked, False)):
        situation = a_situation(a_slot(EC1), observed)
        assert gates.in_flight(situation).is_open is not is_counted
        assert storm_count(situation)[0] == int(is_counted)


def test_a_slot_that_waits_for_a_human_or_gets_its_first_grant_is_not_in_flight() -> None:
    stuck = a_slot(EC2, record=in_failover(EC2, Step.NEEDS_OPERATOR, stuck_in=Step.FENCING))
    first = a_slot(EC2, record=in_failover(EC2, Step.AWAITING_HOST, verb=Verb.FIRST_GRANT))
    assert gates.in_flight(a_situation(a_slot(EC1), stuck)).is_open
    assert gates.in_flight(a_situation(a_slot(EC1), first)).is_open


def test_a_healthy_slot_in_enforce_meets_no_closed_gate() -> None:
    assert gates.first_closed(a_situation(a_slot(EC1)), gates.TAKING) is None
    assert gates.first_closed(a_situation(a_slot(EC1), mode=Mode.OBSERVE), gates.TAKING) is not None


def test_giving_needs_no_mode_and_no_limit() -> None:
    brake = Brake(is_open=True, opened_because="test")
    situation = a_situation(
        a_slot(EC1, record=a_record(EC1, ended_at=ago(1))), mode=Mode.OBSERVE, brake=brake
    )
    assert gates.first_closed(situation, gates.GIVING) is None


def test_only_a_stuck_operation_needs_an_operator() -> None:
    stuck = in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.FENCING)
    assert needs_operator(a_situation(a_slot(EC1, record=stuck)))
    assert not needs_operator(a_situation(a_slot(EC1, record=in_failover(EC1))))
    assert not needs_operator(a_situation(a_slot(EC1)))


@pytest.mark.parametrize("gate", [gates.in_flight, storm])
def test_an_operators_switchover_elsewhere_closes_no_gate(gate: Any) -> None:
    ordered = in_failover(EC2, Step.FENCING, verb=Verb.SWITCHOVER, by="anna")
    situation = a_situation(stopped(EC1), a_slot(EC2, record=ordered), policy=STRICT)
    assert gate(situation).is_open
