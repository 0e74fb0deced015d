"""Slow is not lost: restarts that take long, picos without their Platform, agents that report seldom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    PLATFORM,
    a_host,
    a_record,
    a_report,
    a_sick_report,
    a_silent_slot,
    a_situation,
    a_slot,
    a_spec,
    ago,
    an_address,
    an_assignment,
    decided,
    holder_of,
    written,
)
from picoha.domain.decision import Answer
from picoha.domain.judging import gates, signals
from picoha.domain.model import AgentPhase, Pico, PicoType
from picoha.domain.observation import SlotObservation
from picoha.domain.record import Mode, Order, OrderVerb

HOLDER, PLATFORM_HOLDER = holder_of(EC1), holder_of(PLATFORM)


# -- a restart in place that takes long


def restarting(seconds: float, phase: AgentPhase = AgentPhase.STARTING, **report: Any) -> SlotObservation:
    order = Order("ec1-3", OrderVerb.RESTART, HOLDER, 1, ago(seconds))
    told = a_sick_report(EC1, phase=phase, **{"order_seen": "ec1-3", **report})
    record = a_record(EC1, order=order, restarts=(ago(seconds),))
    return a_slot(EC1, record=record, reports={HOLDER: told})


@pytest.mark.parametrize(
    ("observed", "rule"),
    [
        (restarting(359, order_seen=None), 431),
        (restarting(361, order_seen=None), 433),
        (restarting(719), 431),
        (restarting(719, AgentPhase.STOPPING), 431),
        (restarting(719, AgentPhase.RUNNING), 433),
        (restarting(721), 433),
        (restarting(100, order_done="ec1-3"), 433),
    ],
)
def test_an_order_that_is_being_obeyed_is_not_given_again(observed: SlotObservation, rule: int) -> None:
    assert decided(observed).rule == rule


def test_more_picos_take_longer() -> None:
    observed = restarting(721)
    spec = a_spec(EC1, picos=(*a_spec(EC1).picos, Pico("ec9", 7109, PicoType.EC)))
    assignment = an_assignment(EC1, spec)
    record = replace(observed.record, assignment=assignment)  # type: ignore[type-var]  # recorded here
    assert decided(replace(observed, spec=spec, record=record)).rule == 431


# -- execution slots while the Platform is away


def sick(slot: str = EC1) -> SlotObservation:
    return a_slot(slot, reports={holder_of(slot): a_sick_report(slot, reaches_platform=False)})


@pytest.mark.parametrize(
    "platform",
    [
        a_silent_slot(PLATFORM, 40),
        a_slot(PLATFORM, reports={PLATFORM_HOLDER: a_sick_report(PLATFORM, 1)}),
        a_slot(PLATFORM, reports={PLATFORM_HOLDER: a_sick_report(PLATFORM)}),
        a_slot(PLATFORM, reports={PLATFORM_HOLDER: a_report(PLATFORM, leaving_at=ago(20))}),
        a_slot(PLATFORM, reports={PLATFORM_HOLDER: a_report(PLATFORM, healthy_since=ago(299))}),
    ],
    ids=["silent", "suspect", "failed", "leaving", "just well again"],
)
def test_picos_that_fail_without_their_platform_are_left_alone(platform: SlotObservation) -> None:
    blind = a_slot(EC2, reports={holder_of(EC2): a_report(EC2, reaches_platform=False)})
    decision = decided(sick(), platform, blind)
    assert (decision.rule, decision.answer, decision.actions) == (443, Answer.HOLD, ())


def test_a_platform_that_a_witness_reaches_explains_nothing() -> None:
    reached = a_slot(EC2, reports={holder_of(EC2): a_report(EC2, reaches_platform=True)})
    assert decided(sick(), a_silent_slot(PLATFORM, 40), reached).rule == 433


def test_once_the_platform_is_well_for_long_they_are_restarted() -> None:
    well = a_slot(PLATFORM, reports={PLATFORM_HOLDER: a_report(PLATFORM, healthy_since=ago(300))})
    assert decided(sick(), well).rule == 433


def test_a_lost_host_waits_for_its_lost_platform() -> None:
    lost = a_silent_slot(PLATFORM, 3600)
    refused = a_slot(EC2, reports={holder_of(EC2): a_report(EC2, reaches_platform=False)})
    assert not gates.platform_first(a_situation(a_silent_slot(EC1), lost, refused)).is_open
    assert decided(lost, a_silent_slot(EC1), refused).rule == 445
    assert decided(a_silent_slot(EC1)).rule == 445


def test_behind_an_open_gate_adoption_does_not_wait_for_a_lost_platform() -> None:
    gone = a_slot(PLATFORM, record=a_record(PLATFORM, is_armed=False, unfenced=()), hosts=())
    nobody = a_record(EC1, is_armed=False, unfenced=())
    decision = decided(a_slot(EC1, record=nobody), gone, mode=Mode.OBSERVE)
    assert (decision.rule, written(decision).epoch) == (513, 2)


def test_in_observe_a_well_host_without_the_slots_address_is_told() -> None:
    nobody = a_record(PLATFORM, is_armed=False, unfenced=())
    moved = an_address(PLATFORM, a_host(PLATFORM, "i-third"))
    decision = decided(a_slot(PLATFORM, record=nobody, address=moved), mode=Mode.OBSERVE)
    assert (decision.rule, decision.answer) == (531, Answer.HOLD)
    assert "runs healthy, but" in decision.sentence


# -- an agent that reports seldom


def seldom(every_s: int, seconds: float, **fields: Any) -> SlotObservation:
    observed = a_silent_slot(PLATFORM, seconds)
    report = replace(observed.reports[PLATFORM_HOLDER], every_s=every_s)
    return replace(observed, reports={PLATFORM_HOLDER: report}, **fields)


REFUSED = a_slot(EC1, reports={HOLDER: a_report(EC1, reaches_platform=False)})
OLD_WITNESS = a_slot(EC2, reports={holder_of(EC2): a_report(EC2, at=ago(100), every_s=60)})
NO_WITNESS = a_slot(EC2, reports={})


@pytest.mark.parametrize(
    ("every_s", "seconds", "other", "life"),
    [
        (10, 50, NO_WITNESS, signals.Life.LOST),
        (60, 50, NO_WITNESS, signals.Life.WELL),
        (60, 170, NO_WITNESS, signals.Life.SUSPECT),
        (60, 181, NO_WITNESS, signals.Life.LOST),
        (10, 50, OLD_WITNESS, signals.Life.REACHED),
        (86_400, 181, NO_WITNESS, signals.Life.LOST),
        (-5, 50, NO_WITNESS, signals.Life.LOST),
    ],
)
def test_a_host_that_reports_seldom_is_called_silent_later(
    every_s: int, seconds: float, other: SlotObservation, life: signals.Life
) -> None:
    assert signals.judge(a_situation(seldom(every_s, seconds), REFUSED, other)).life is life


def test_what_a_seldom_witness_could_not_reach_a_minute_ago_says_nothing_of_now() -> None:
    old = a_slot(EC1, reports={HOLDER: a_report(EC1, at=ago(100), every_s=60, reaches_platform=False)})
    assert signals.witnesses(a_situation(a_silent_slot(PLATFORM, 50), old, NO_WITNESS)) == ((), ())
