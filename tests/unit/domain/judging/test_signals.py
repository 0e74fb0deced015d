"""The verdict on a holder: design.md 5, row by row, each from both sides of its age."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
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
    a_vacant_record,
    ago,
    holder_of,
    in_failover,
    picos_that,
)
from picoha.domain.health import Health
from picoha.domain.judging.signals import Life, canary_problem, heard_at, judge, witnesses
from picoha.domain.model import GOING_OR_GONE, InstanceId, InstanceState, Sample, Unknown
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy


def witness(slot: str, reaches: bool | None, age: float = 5) -> SlotObservation:
    """An execution slot whose agent says whether it connects to the Platform."""
    return a_slot(slot, reports={holder_of(slot): a_report(slot, reaches_platform=reaches, at=ago(age))})


def silent_platform(seconds: float, *others: SlotObservation, **fields: Any) -> Life:
    return judge(a_situation(a_silent_slot(PLATFORM, seconds, **fields), *others)).life


def silent_ec(seconds: float, **fields: Any) -> Life:
    return judge(a_situation(a_silent_slot(EC1, seconds, **fields))).life


FAILING = (witness(EC1, False), witness(EC2, False))
MUTE = (witness(EC1, None), witness(EC2, None))


@pytest.mark.parametrize("state", sorted(GOING_OR_GONE))
def test_row_1_ec2_says_going_or_gone_is_lost_at_once_without_a_canary(state: InstanceState) -> None:
    others = (a_slot(PLATFORM, metric=None), a_slot(EC2, metric=None))
    situation = a_situation(a_slot(EC1, hosts=(a_host(EC1, state=state),)), *others, tick=None)
    assert judge(situation).life is Life.LOST


@pytest.mark.parametrize("state", [InstanceState.RUNNING, InstanceState.PENDING])
def test_row_1_pending_and_running_are_not(state: InstanceState) -> None:
    assert judge(a_situation(a_slot(EC1, hosts=(a_host(EC1, state=state),)))).life is Life.WELL


@pytest.mark.parametrize(("samples", "life"), [(2, Life.SUSPECT), (3, Life.PICOS_FAILED)])
def test_row_2_three_failed_samples_of_one_boot(samples: int, life: Life) -> None:
    observed = a_slot(EC1, reports={holder_of(EC1): a_sick_report(EC1, samples)})
    assert judge(a_situation(observed)).life is life


def test_row_2_failed_samples_that_a_broken_monitor_follows_are_no_waiting_for_more() -> None:
    """Nothing would ever count again: it is held, and so a human is told (L3)."""
    picos = picos_that(EC1, Health.UNKNOWN, 99)
    report = a_sick_report(EC1, 2, unknown_since=ago(1))
    observed = a_slot(EC1, reports={holder_of(EC1): replace(report, picos=picos)})
    assert judge(a_situation(observed)).life is Life.UNSURE


@pytest.mark.parametrize(("seconds", "life"), [(30, Life.SUSPECT), (30.1, Life.LOST)])
@pytest.mark.parametrize("slot", [PLATFORM, EC1])
def test_row_3_silent_and_impaired_30_s(slot: str, seconds: float, life: Life) -> None:
    observed = a_silent_slot(slot, seconds, hosts=(a_host(slot, is_impaired=True),))
    assert judge(a_situation(observed, *(one for one in MUTE if one.name != slot))).life is life


@pytest.mark.parametrize(("seconds", "life"), [(44.9, Life.SUSPECT), (45, Life.LOST)])
def test_row_4_silent_platform_that_a_fresh_witness_cannot_reach_45_s(seconds: float, life: Life) -> None:
    assert silent_platform(seconds, *FAILING) is life
    assert silent_platform(seconds, witness(EC1, False), witness(EC2, None)) is life


@pytest.mark.parametrize("seconds", [31, 45, 90, 180, 86400])
@pytest.mark.parametrize("is_impaired", [False, True])
def test_row_5_silent_platform_that_any_fresh_witness_reaches_is_never_lost(
    seconds: float, is_impaired: bool
) -> None:
    hosts = (a_host(PLATFORM, is_impaired=is_impaired),)
    life = silent_platform(seconds, witness(EC1, False), witness(EC2, True), hosts=hosts)
    assert life is Life.REACHED


@pytest.mark.parametrize(("seconds", "life"), [(89.9, Life.SUSPECT), (90, Life.LOST)])
def test_row_6_no_fresh_witness_90_s(seconds: float, life: Life) -> None:
    assert silent_platform(seconds, *MUTE) is life
    stale = (witness(EC1, False, age=31), witness(EC2, True, age=31))
    assert silent_platform(seconds, *stale) is life


@pytest.mark.parametrize(("seconds", "life"), [(89.9, Life.SUSPECT), (90, Life.LOST)])
def test_row_6_an_execution_slot_90_s(seconds: float, life: Life) -> None:
    assert silent_ec(seconds) is life


@pytest.mark.parametrize(("seconds", "life"), [(179.9, Life.SUSPECT), (180, Life.LOST)])
def test_row_6_a_platform_alone_in_its_cell_180_s(seconds: float, life: Life) -> None:
    situation = a_situation(a_silent_slot(PLATFORM, seconds))
    alone = replace(situation.seen, slots=(situation.observed,))
    assert judge(replace(situation, seen=alone)).life is life


@pytest.mark.parametrize(("seconds", "life"), [(299.9, Life.LEAVING), (300, Life.LOST)])
def test_row_7_an_orderly_shutdown_has_5_min_to_come_back(seconds: float, life: Life) -> None:
    report = a_report(EC1, at=ago(seconds), leaving_at=ago(seconds))
    observed = a_silent_slot(EC1, seconds, reports={report.instance: report})
    assert judge(a_situation(observed)).life is life


def test_row_8_a_dead_canary_never_confirms_silence() -> None:
    others = (a_slot(PLATFORM, metric=Sample(ago(61), 1.0)), a_slot(EC2, metric=None))
    assert judge(a_situation(a_silent_slot(EC1, 86400), *others)).life is Life.NO_CANARY


@pytest.mark.parametrize("seconds", [31, 86400])
def test_row_8_a_metric_that_could_not_be_read_never_confirms(seconds: float) -> None:
    assert silent_ec(seconds, metric=Unknown("throttled")) is Life.UNSURE


def test_row_8_status_checks_that_could_not_be_read_never_confirm() -> None:
    assert silent_ec(86400, hosts=(a_host(EC1, is_impaired=Unknown("throttled")),)) is Life.UNSURE


def test_a_host_that_ec2_no_longer_shows_is_judged_by_its_silence() -> None:
    assert silent_ec(89, hosts=()) is Life.SUSPECT
    assert silent_ec(90, hosts=()) is Life.LOST


def test_a_holder_with_evidence_is_lost_whatever_it_says() -> None:
    assert judge(a_situation(a_slot(EC1, record=a_record(EC1, unfenced=())))).life is Life.LOST


@pytest.mark.parametrize(("seconds", "life"), [(15, Life.WELL), (15.1, Life.SUSPECT)])
def test_a_well_holder_gets_another_look_soon_once_it_is_quiet(seconds: float, life: Life) -> None:
    verdict = judge(a_situation(a_silent_slot(EC1, seconds)))
    assert verdict.life is life
    assert (verdict.look_again_s is None) == (life is Life.WELL)


def test_a_suspect_holder_is_looked_at_again_when_it_could_be_confirmed() -> None:
    assert judge(a_situation(a_silent_slot(EC1, 60))).look_again_s == 30
    assert judge(a_situation(a_silent_slot(EC1, 89.9))).look_again_s == 1


def test_the_newest_of_report_metric_and_grant_counts() -> None:
    record = a_record(EC1, active_since=ago(70))
    report = a_report(EC1, at=ago(80))
    old = a_slot(EC1, record=record, reports={report.instance: report}, metric=Sample(ago(90), 1.0))
    assert heard_at(a_situation(old)) == ago(70)
    assert heard_at(a_situation(replace(old, metric=Sample(ago(60), 1.0)))) == ago(60)
    fresh = a_report(EC1, at=ago(50))
    assert heard_at(a_situation(replace(old, reports={fresh.instance: fresh}))) == ago(50)


def test_a_holder_that_never_spoke_is_heard_now() -> None:
    situation = a_situation(a_slot(EC1, record=a_record(EC1, active_since=None), reports={}, metric=None))
    assert heard_at(situation) == situation.now


def test_a_report_of_another_host_of_the_slot_is_no_sign_of_the_holder() -> None:
    other = a_report(EC1, "i-other", at=ago(1))
    observed = a_silent_slot(EC1, 200)
    observed = replace(observed, reports={**observed.reports, other.instance: other})
    assert judge(a_situation(observed)).life is Life.LOST


def test_an_unknown_answer_of_the_monitor_is_unsure_and_says_why() -> None:
    picos = picos_that(EC1, Health.UNKNOWN, 0)
    report = a_report(EC1, picos=picos)
    verdict = judge(a_situation(a_slot(EC1, reports={report.instance: report})))
    assert verdict.life is Life.UNSURE
    assert "ec1 exit code 0" in verdict.why


def test_a_report_without_picos_gives_its_phase_or_its_problem() -> None:
    silent = a_report(EC1, picos={})
    troubled = replace(silent, problem="monitor is not executable")
    for report, word in ((silent, "running"), (troubled, "monitor is not executable")):
        verdict = judge(a_situation(a_slot(EC1, reports={report.instance: report})))
        assert verdict.life is Life.UNSURE
        assert word in verdict.why


def test_witnesses_are_the_other_slots_with_a_fresh_opinion() -> None:
    situation = a_situation(a_slot(PLATFORM), witness(EC1, True, age=30), witness(EC2, False))
    assert witnesses(situation) == ((EC1,), (EC2,))
    situation = a_situation(a_slot(PLATFORM), witness(EC1, True, age=31), witness(EC2, None))
    assert witnesses(situation) == ((), ())


def test_the_platforms_own_agent_is_no_witness_of_itself() -> None:
    report = a_report(PLATFORM, reaches_platform=True)
    situation = a_situation(a_slot(PLATFORM, reports={report.instance: report}), *MUTE)
    assert witnesses(situation) == ((), ())


def test_an_execution_slot_has_no_witnesses() -> None:
    assert witnesses(a_situation(a_slot(EC1), witness(EC2, False))) == ((), ())


def test_two_agents_of_one_slot_can_disagree_and_both_are_named() -> None:
    reports = {
        holder_of(EC1): a_report(EC1, reaches_platform=False),
        InstanceId("i-new"): a_report(EC1, "i-new", reaches_platform=True),
    }
    situation = a_situation(a_slot(PLATFORM), a_slot(EC1, reports=reports), witness(EC2, None))
    assert witnesses(situation) == ((EC1,), (EC1,))


@pytest.mark.parametrize(("age", "is_alive"), [(60, True), (60.1, False)])
def test_the_canary_is_another_holders_datapoint_of_60_s(age: float, is_alive: bool) -> None:
    others = (a_slot(PLATFORM, metric=Sample(ago(age), 0.0)), a_slot(EC2, metric=None))
    assert (canary_problem(a_situation(a_slot(EC1), *others)) == "") is is_alive


@pytest.mark.parametrize(("age", "is_alive"), [(150, True), (150.1, False)])
def test_with_no_other_holder_the_canary_is_a_tick_of_150_s(age: float, is_alive: bool) -> None:
    others = (a_slot(EC1, record=a_vacant_record(EC1)), a_slot(EC2, record=in_failover(EC2)))
    situation = a_situation(a_slot(PLATFORM), *others, tick=Sample(ago(age), 1.0))
    assert (canary_problem(situation) == "") is is_alive


@pytest.mark.parametrize("tick", [None, Unknown("throttled")])
def test_a_tick_that_is_missing_or_unreadable_is_a_dead_canary(tick: Unknown | None) -> None:
    others = (a_slot(EC1, record=None), a_slot(EC2, record=None))
    assert "no fresh Tick metric" in canary_problem(a_situation(a_slot(PLATFORM), *others, tick=tick))


def test_the_ages_are_settings() -> None:
    patient = Policy(silent_after=Policy().silent_after * 2)
    assert judge(a_situation(a_silent_slot(EC1, 100), policy=patient)).life is Life.SUSPECT


def test_a_failed_metric_without_any_report_is_not_well() -> None:
    observed = a_slot(EC1, reports={}, metric=Sample(ago(5), 0.0))
    assert judge(a_situation(observed)).life is not Life.WELL


def test_a_time_at_the_end_of_the_calendar_does_not_stop_the_cell() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    report = a_report(EC1, leaving_at=last)
    assert judge(a_situation(a_slot(EC1, reports={report.instance: report}))).life is Life.WELL
    report = a_report(EC1, at=last)
    assert judge(a_situation(a_slot(EC1, reports={report.instance: report}))).life is Life.UNSURE


@pytest.mark.parametrize(("ahead", "life"), [(30, Life.WELL), (31, Life.UNSURE)])
def test_a_sign_from_the_future_is_a_wrong_clock_and_no_sign(ahead: float, life: Life) -> None:
    report = a_report(EC1, at=ago(-ahead))
    verdict = judge(a_situation(a_slot(EC1, reports={report.instance: report})))
    assert verdict.life is life
    assert life is Life.WELL or "31 s ahead: a clock is wrong" in verdict.why


def test_a_witness_or_a_canary_from_the_future_is_none() -> None:
    ahead = witness(EC1, False, age=-31), witness(EC2, None)
    assert silent_platform(50, *ahead) is Life.SUSPECT
    keeping = witness(EC1, True, age=-31), witness(EC2, False)
    assert silent_platform(600, *keeping) is Life.REACHED, "a fast clock never costs a Platform"
    late = (a_slot(PLATFORM, metric=Sample(ago(-31), 1.0)), a_slot(EC2, metric=Sample(ago(-31), 1.0)))
    assert canary_problem(a_situation(a_slot(EC1), *late))
    near = a_slot(PLATFORM, metric=Sample(ago(-30), 1.0))
    assert canary_problem(a_situation(a_slot(EC1), near, late[1])) == ""
