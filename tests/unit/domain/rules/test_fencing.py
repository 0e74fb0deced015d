"""Rules 30x to 32x: the victim is fenced and proven before anybody else is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    NEW,
    PLATFORM,
    a_group,
    a_host,
    a_member,
    a_replaced_sight,
    a_report,
    a_situation,
    a_slot,
    ago,
    an_operation,
    holder_of,
    in_failover,
)
from picoha.domain.actions import AbandonLaunch, FenceHost, HintUnhealthy
from picoha.domain.decision import Answer, Change, Decision
from picoha.domain.model import InstanceId, InstanceState, Report
from picoha.domain.record import HoldNotice, Intent, Mode, Operation, Phase, Step
from picoha.domain.rules import fencing as rules
from picoha.domain.situation import Situation

VICTIM = holder_of(EC1)
BOTH = (FenceHost(VICTIM), HintUnhealthy(VICTIM))


def fencing(state: InstanceState = InstanceState.RUNNING, seconds: float = 10, **op: Any) -> Situation:
    record = in_failover(EC1, Step.FENCING, step_at=ago(seconds), **op)
    return a_situation(a_slot(EC1, record=record, hosts=(a_host(EC1, state=state),)))


def written(decision: Decision) -> tuple[Change, Operation]:
    change = decision.change
    assert change is not None
    assert change.record.operation is not None
    return change, change.record.operation


def test_a_running_victim_is_terminated_and_auto_scaling_told_under_intents() -> None:
    decision = rules.fence(fencing())
    assert decision.actions == BOTH
    change, op = written(decision)
    assert change.pins_mode
    assert {key: one.sends for key, one in op.intents.items()} == {str(one): 1 for one in BOTH}


@pytest.mark.parametrize(("seconds", "is_due"), [(14.9, False), (15, True)])
def test_a_fence_is_sent_again_after_15_s_and_counted(seconds: float, is_due: bool) -> None:
    intent = Intent(number=1, first_at=ago(40), sent_at=ago(seconds), sends=2)
    decision = rules.fence(fencing(intents={str(one): intent for one in BOTH}))
    assert (decision.answer is Answer.SEND) is is_due
    if is_due:
        sent = written(decision)[1].intents[str(BOTH[0])]
        assert (sent.number, sent.first_at, sent.sends) == (1, ago(40), 3)


@pytest.mark.parametrize(("seconds", "is_forced"), [(120, False), (120.1, True)])
def test_after_2_min_the_fence_is_forced(seconds: float, is_forced: bool) -> None:
    assert rules.fence(fencing(seconds=seconds)).actions[0] == FenceHost(VICTIM, force=is_forced)


def test_shutting_down_is_waited_for_and_then_forced() -> None:
    assert rules.fence(fencing(InstanceState.SHUTTING_DOWN, 120)).answer is Answer.WAIT
    forced = rules.fence(fencing(InstanceState.SHUTTING_DOWN, 121))
    assert forced.actions[0] == FenceHost(VICTIM, force=True)


def test_a_victim_that_nobody_shows_is_still_fenced_by_its_id() -> None:
    observed = a_slot(EC1, record=in_failover(EC1), hosts=(), group=a_group(EC1, a_member("i-x")))
    assert rules.fence(a_situation(observed)).actions == (FenceHost(VICTIM),)


def test_an_operation_without_a_victim_fences_nobody() -> None:
    assert rules.fence(fencing(victim=None)).answer is Answer.ALERT


def test_fencing_ends_only_with_evidence_of_this_victim() -> None:
    assert not rules.victim_is_proven(fencing(InstanceState.TERMINATED))
    proven = replace(in_failover(EC1), unfenced=())
    situation = a_situation(a_slot(EC1, record=proven))
    assert rules.victim_is_proven(situation)
    assert written(rules.leave_fencing(situation))[1].step is Step.AWAITING_HOST
    assert not rules.victim_is_proven(a_situation(a_slot(EC1)))


def test_a_new_step_starts_with_its_own_time_and_no_intents() -> None:
    intents = {"x": Intent(1, ago(9), ago(9))}
    record = replace(in_failover(EC1, Step.FENCING, intents=intents), unfenced=())
    op = written(rules.leave_fencing(a_situation(a_slot(EC1, record=record))))[1]
    assert (op.step_at, op.intents, op.trail["awaiting-host"]) == (ago(0), {}, ago(0))


@pytest.mark.parametrize("mode", list(Mode))
def test_without_enforce_a_fence_is_held(mode: Mode) -> None:
    situation = a_situation(a_slot(EC1, record=in_failover(EC1)), mode=mode)
    assert rules.fencing_is_off(situation) is (mode is Mode.OBSERVE)


@pytest.mark.parametrize(("seconds", "is_late"), [(600, False), (600.1, True)])
def test_10_min_without_evidence_need_an_operator(seconds: float, is_late: bool) -> None:
    situation = fencing(InstanceState.SHUTTING_DOWN, seconds)
    assert rules.fencing_is_late(situation) is is_late
    change, op = written(rules.page_for_fence(situation))
    assert (op.step, op.stuck_in) == (Step.NEEDS_OPERATOR, Step.FENCING)
    assert change.notice is not None
    assert change.notice.severity == "page"
    assert f"picoha confirm-fenced {VICTIM}" in change.notice.text


def test_a_late_fence_of_a_victim_ec2_no_longer_shows_says_so() -> None:
    situation = a_situation(a_slot(EC1, record=in_failover(EC1), hosts=()))
    assert "not shown by EC2" in rules.page_for_fence(situation).sentence


def test_a_proven_victims_held_launch_is_abandoned() -> None:
    record = in_failover(EC1, Step.AWAITING_HOST)
    observed = a_slot(EC1, record=record, group=a_group(EC1, a_member(VICTIM, "Pending:Wait")))
    situation = a_situation(observed)
    assert rules.dead_launch_is_held(situation)
    decision = rules.abandon_dead_launches(situation)
    assert decision.actions == (AbandonLaunch("demo-ec1", VICTIM),)
    assert written(decision)[0].pins_mode
    assert not rules.dead_launch_is_held(a_situation(observed, mode=Mode.OBSERVE))
    unproven = replace(observed, record=replace(record, unfenced=(VICTIM,)))
    assert not rules.dead_launch_is_held(a_situation(unproven))


def test_a_replacements_launch_and_a_missing_group_are_never_abandoned() -> None:
    record = in_failover(EC1, Step.AWAITING_HOST)
    assert not rules.dead_launch_is_held(a_situation(a_replaced_sight(EC1, record)))
    assert not rules.dead_launch_is_held(a_situation(a_replaced_sight(EC1, record, group=None)))


@pytest.mark.parametrize("step", [Step.AWAITING_HOST, Step.ADDRESSING, Step.RELEASING])
def test_a_dependency_that_is_down_holds_every_step_before_the_grant(step: Step) -> None:
    observed = a_replaced_sight(EC1, in_failover(EC1, step), dependencies={"rds:mz-db": False})
    assert rules.giving_is_closed(a_situation(observed))
    assert "rds:mz-db is down" in rules.hold_giving(a_situation(observed)).sentence
    assert not rules.giving_is_closed(a_situation(replace(observed, dependencies={"rds:mz-db": True})))


@pytest.mark.parametrize("step", [Step.FENCING, Step.VERIFYING])
def test_it_holds_neither_the_fence_nor_the_verification(step: Step) -> None:
    observed = a_replaced_sight(EC1, in_failover(EC1, step), dependencies={"rds:mz-db": False})
    assert not rules.giving_is_closed(a_situation(observed))


@pytest.mark.parametrize(("held_for", "left"), [(100, 500), (700, 0), (None, 600)])
def test_only_the_outage_is_taken_off_the_steps_time(held_for: float | None, left: float) -> None:
    held = HoldNotice(315, ago(held_for)) if held_for else None
    record = replace(in_failover(EC1, Step.RELEASING, step_at=ago(600)), attention=held)
    op = written(rules.restart_step(a_situation(a_replaced_sight(EC1, record))))[1]
    assert op.step_at == ago(left)


@pytest.mark.parametrize(("rule", "is_outage"), [(109, True), (111, True), (315, True), (337, False)])
def test_what_was_held_last_decides_whether_time_stood_still(rule: int, is_outage: bool) -> None:
    record = replace(in_failover(EC1, Step.RELEASING), attention=HoldNotice(rule, ago(60)))
    assert rules.giving_is_open_again(a_situation(a_replaced_sight(EC1, record))) is is_outage


@pytest.mark.parametrize(("seconds", "step_at"), [(449, 449), (450, 0)])
def test_while_parked_no_replacement_is_late(seconds: float, step_at: float) -> None:
    record = in_failover(EC1, Step.AWAITING_HOST, step_at=ago(seconds))
    situation = a_situation(a_replaced_sight(EC1, record, group=a_group(EC1, desired=0)))
    assert rules.is_parked_meanwhile(situation)
    change = rules.wait_while_parked(situation).change
    op = change.record.operation if change else situation.operation
    assert op is not None
    assert op.step_at == ago(step_at)
    assert not rules.is_parked_meanwhile(a_situation(a_replaced_sight(EC1, record)))


def test_one_candidate_becomes_the_target() -> None:
    situation = a_situation(a_replaced_sight(EC1, in_failover(EC1, Step.AWAITING_HOST)))
    assert rules.one_candidate(situation)
    assert not rules.two_candidates(situation)
    op = written(rules.take_candidate(situation))[1]
    assert (op.step, op.target) == (Step.ADDRESSING, NEW)


def test_two_candidates_are_a_humans_to_choose_from() -> None:
    observed = a_replaced_sight(EC1, in_failover(EC1, Step.AWAITING_HOST))
    hosts = (a_host(EC1, NEW), a_host(EC1, "i-other"))
    group = a_group(EC1, a_member(NEW, "Pending:Wait"), a_member("i-other"))
    situation = a_situation(replace(observed, hosts=hosts, group=group))
    assert rules.two_candidates(situation)
    assert not rules.one_candidate(situation)
    assert "i-new, i-other" in rules.page_two_candidates(situation).sentence


@pytest.mark.parametrize(
    "lifecycle", ["Pending", "Standby", "Warmed:Running", "Terminating:Wait", "Detaching"]
)
def test_a_member_neither_held_nor_in_service_is_no_candidate(lifecycle: str) -> None:
    record = in_failover(EC1, Step.AWAITING_HOST)
    assert not rules.one_candidate(a_situation(a_replaced_sight(EC1, record, lifecycle)))


@pytest.mark.parametrize(("seconds", "is_late"), [(900, False), (900.1, True)])
def test_15_min_without_a_replacement_need_an_operator(seconds: float, is_late: bool) -> None:
    situation = a_situation(a_slot(EC1, record=in_failover(EC1, Step.AWAITING_HOST, step_at=ago(seconds))))
    assert rules.host_is_late(situation) is is_late
    assert "picoha retry ec1-1-1" in str(written(rules.page_for_host(situation))[0].notice)


def test_a_missing_group_is_named_as_its_group() -> None:
    situation = a_situation(a_slot(EC1, group=None, record=in_failover(EC1, Step.AWAITING_HOST)))
    assert rules.page_for_host(situation).sentence.startswith("its group brought no replacement")


@pytest.mark.parametrize("step", [Step.ADDRESSING, Step.RELEASING, Step.VERIFYING])
@pytest.mark.parametrize("state", list(InstanceState))
def test_a_target_that_goes_is_the_next_victim(step: Step, state: InstanceState) -> None:
    record = in_failover(EC1, step, step_at=ago(30))
    observed = a_replaced_sight(EC1, record, hosts=(a_host(EC1, NEW, state=state),), reports={})
    is_going = state not in (InstanceState.PENDING, InstanceState.RUNNING)
    assert rules.target_is_gone(a_situation(observed)) is is_going


@pytest.mark.parametrize("state", [InstanceState.STOPPING, InstanceState.STOPPED])
def test_one_old_look_at_a_host_from_the_warm_pool_condemns_nobody(state: InstanceState) -> None:
    host = a_host(EC1, NEW, state=state)
    said: Mapping[InstanceId, Report] = {NEW: a_report(EC1, NEW)}
    old: Mapping[InstanceId, Report] = {NEW: a_report(EC1, NEW, at=ago(31))}
    for seconds, reports, is_gone in ((29, {}, False), (30, {}, True), (200, said, False), (200, old, True)):
        record = in_failover(EC1, Step.RELEASING, step_at=ago(seconds))
        observed = a_replaced_sight(EC1, record, hosts=(host,), reports=reports)
        assert rules.target_is_gone(a_situation(observed)) is is_gone


def test_the_next_victim_is_unfenced_and_in_no_ones_hands() -> None:
    observed = a_replaced_sight(EC1, in_failover(EC1, Step.VERIFYING))
    record = written(rules.replace_target(a_situation(observed)))[0].record
    op = record.operation
    assert op is not None
    assert (op.step, op.victim, op.victims, op.target, op.attempt) == (
        Step.FENCING,
        NEW,
        (VICTIM, NEW),
        None,
        1,
    )
    assert (record.phase, record.unfenced) == (Phase.IN_FAILOVER, (NEW,))


def test_a_bad_target_that_was_never_granted_is_fenced_too() -> None:
    observed = a_replaced_sight(PLATFORM, in_failover(PLATFORM, Step.ADDRESSING))
    assert written(rules.replace_target(a_situation(observed)))[0].record.unfenced == (NEW,)


@pytest.mark.parametrize(("attempt", "step"), [(1, Step.FENCING), (2, Step.NEEDS_OPERATOR)])
def test_after_2_retries_a_human_is_needed(attempt: int, step: Step) -> None:
    observed = a_replaced_sight(EC1, in_failover(EC1, Step.VERIFYING, attempt=attempt))
    assert written(rules.replace_target(a_situation(observed)))[1].step is step


def test_in_observe_a_living_bad_target_is_left_to_a_human_and_a_dead_one_is_not() -> None:
    observed = a_replaced_sight(EC1, in_failover(EC1, Step.VERIFYING))
    living = rules.replace_target(a_situation(observed, mode=Mode.OBSERVE))
    assert written(living)[1].step is Step.NEEDS_OPERATOR
    dead = replace(observed, hosts=(a_host(EC1, NEW, state=InstanceState.TERMINATED),))
    assert written(rules.replace_target(a_situation(dead, mode=Mode.OBSERVE)))[1].step is Step.FENCING


def test_an_operation_without_a_target_is_an_alert() -> None:
    record = in_failover(EC1, Step.RELEASING, target=None)
    assert rules.replace_target(a_situation(a_slot(EC1, record=record))).answer is Answer.ALERT


def test_a_slot_without_an_operation_is_in_no_step() -> None:
    situation = a_situation(a_slot(EC1))
    assert not any(rule.when(situation) for rule in rules.RULES)
    assert an_operation(EC1).id == "ec1-1-1"
