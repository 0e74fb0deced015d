"""The storm gate: many bad slots at once have one cause, unless it is one zone's trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import (
    EC1,
    EC2,
    PLATFORM,
    a_host,
    a_record,
    a_silent_slot,
    a_situation,
    a_slot,
    a_vacant_record,
    ago,
    an_operation,
    in_failover,
)
from picoha.domain.judging import gates
from picoha.domain.judging.storm import storm
from picoha.domain.model import InstanceState
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Brake, Phase, Step, Verb


def stopped(slot: str, zone: str = "a") -> SlotObservation:
    return a_slot(slot, hosts=(a_host(slot, state=InstanceState.STOPPED, zone=zone),))


def well(slot: str, zone: str) -> SlotObservation:
    return a_slot(slot, hosts=(a_host(slot, zone=zone),))


STRICT = Policy(storm_floor=1, storm_percent=1)


def passes(observed: SlotObservation, *others: SlotObservation, policy: Policy = STRICT) -> bool:
    """Whether the storm gate lets the first slot pass."""
    return storm(a_situation(observed, *others, policy=policy)).is_open


def test_storm_two_of_three_pass_three_do_not() -> None:
    assert storm(a_situation(stopped(EC1), stopped(PLATFORM, "b"))).is_open
    everyone = a_situation(stopped(EC1), stopped(PLATFORM, "b"), stopped(EC2, "c"))
    gate = storm(everyone)
    assert not gate.is_open
    assert "3 of 3 slots" in gate.sentence


@pytest.mark.parametrize(("slots", "limit"), [(3, 2), (6, 3), (9, 4), (10, 4)])
def test_storm_the_limit_is_34_percent_rounded_up_and_at_least_2(slots: int, limit: int) -> None:
    extra = [a_slot(f"sc{n}", record=a_record(f"sc{n}")) for n in range(slots - 3)]
    assert f"(limit {limit})" in storm(a_situation(a_slot(EC1), *extra)).sentence


@pytest.mark.parametrize(("seconds", "is_open"), [(1799, False), (1800, True)])
def test_storm_who_was_replaced_counts_for_30_min(seconds: float, is_open: bool) -> None:
    lately = a_slot(EC2, record=a_record(EC2, ended_at=ago(seconds)))
    assert passes(stopped(EC1, "a"), stopped(PLATFORM, "b"), lately, policy=Policy()) is is_open


def test_storm_a_third_failure_in_a_third_zone_is_no_zones_trouble() -> None:
    lately = [a_slot(one, record=a_record(one, ended_at=ago(600), ended_zone="a")) for one in (EC2, "sc1")]
    assert not passes(stopped(EC1, "c"), *lately, policy=Policy())


def test_storm_in_a_lost_zone_the_others_follow_once_the_platform_is_well_again() -> None:
    platform = replace(well(PLATFORM, "b"), record=a_record(PLATFORM, ended_at=ago(600), ended_zone="a"))
    assert passes(stopped(EC1, "a"), platform, stopped(EC2, "a"))


def test_storm_an_open_operation_counts_and_a_first_grant_does_not() -> None:
    op = an_operation(EC2, Step.NEEDS_OPERATOR, stuck_in=Step.FENCING)
    open_one = a_record(EC2, phase=Phase.IN_FAILOVER, operation=op)
    first = a_vacant_record(EC2, operation=replace(op, verb=Verb.FIRST_GRANT))
    assert not passes(stopped(EC1, "a"), a_slot(EC2, record=open_one))
    assert passes(stopped(EC1, "a"), a_slot(EC2, record=first))


def test_storm_one_zone_alone_goes_one_at_a_time_the_platform_first() -> None:
    assert passes(stopped(PLATFORM, "a"), stopped(EC1, "a"), well(EC2, "b"))
    waiting = a_situation(stopped(EC1, "a"), stopped(PLATFORM, "a"), well(EC2, "b"))
    assert not gates.platform_first(waiting).is_open
    assert passes(stopped(EC1, "a"), well(PLATFORM, "b"), stopped(EC2, "a"))
    busy = replace(stopped(EC2, "a"), record=in_failover(EC2))
    assert not passes(stopped(EC1, "a"), well(PLATFORM, "b"), busy)


def test_storm_a_zone_is_not_alone_when_others_are_bad_or_nobody_elsewhere_is_well() -> None:
    assert not passes(stopped(EC1, "a"), stopped(EC2, "b"), well(PLATFORM, "c"))
    assert not passes(stopped(EC1, "a"), stopped(EC2, "a"), well(PLATFORM, "a"))
    vanished = a_silent_slot(EC2, 600, hosts=())
    assert not passes(stopped(EC1, "a"), vanished, well(PLATFORM, "b"))


def test_storm_an_operators_release_opens_it_for_a_while() -> None:
    bad = (stopped(EC1), stopped(PLATFORM, "b"), stopped(EC2, "c"))
    assert storm(a_situation(*bad, brake=Brake(storm_released_until=ago(-1)))).is_open
    assert not storm(a_situation(*bad, brake=Brake(storm_released_until=ago(0)))).is_open


def test_storm_a_zone_that_has_gone_quiet_is_no_zone_that_reports_healthy() -> None:
    quiet = a_silent_slot(EC2, 60, hosts=(a_host(EC2, zone="b"),))
    assert not passes(stopped(PLATFORM, "a"), stopped(EC1, "a"), quiet)
