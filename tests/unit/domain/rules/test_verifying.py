"""Rules 35x to 37x: the grantee proves itself; the holder is drained; a human is waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    NEW,
    NOW,
    PLATFORM,
    a_host,
    a_record,
    a_replaced_sight,
    a_report,
    a_situation,
    a_slot,
    ago,
    an_address,
    an_observation,
    decided,
    holder_of,
    in_failover,
    operation_after,
    saved,
    written,
)
from picoha.domain.decision import Answer, Decision
from picoha.domain.model import AgentPhase, InstanceState, NamesReading
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Order, OrderVerb, Phase, Step, Verb
from picoha.domain.rules.table import decide_slot
from picoha.domain.rules.verifying import replace_bad_target

STARTED = {"verifying": ago(200)}
NAMED = {**STARTED, "names-verified": ago(190)}
UP = {**NAMED, "picos-up": ago(100)}
HEALTHY = {**UP, "healthy": ago(70)}


def verifying(trail: dict[str, Any] | None = None, **report: Any) -> SlotObservation:
    record = in_failover(EC1, Step.VERIFYING, trail=trail or STARTED)
    told = a_report(EC1, NEW, **{"epoch": 2, "highest_epoch": 2, **report})
    return a_replaced_sight(EC1, record, "InService", reports={NEW: told})


@pytest.mark.parametrize(
    ("trail", "rule", "event"),
    [
        (STARTED, 351, "names-verified"),
        (NAMED, 353, "picos-up"),
        (UP, 355, "healthy"),
    ],
)
def test_each_fact_is_noted_once_in_order(trail: dict[str, Any], rule: int, event: str) -> None:
    decision = decided(verifying(trail))
    assert decision.rule == rule
    op = operation_after(decision)
    assert (op.step, op.trail[event]) == (Step.VERIFYING, NOW)


@pytest.mark.parametrize("names", [None, NamesReading(False, "mz-platform gives 10.0.1.10")])
def test_names_that_are_wrong_or_unread_do_not_pass(names: NamesReading | None) -> None:
    assert decided(verifying(names=names)).rule == 361


@pytest.mark.parametrize("phase", [one for one in AgentPhase if one is not AgentPhase.RUNNING])
def test_picos_are_up_only_when_the_agent_says_running(phase: AgentPhase) -> None:
    assert decided(verifying(NAMED, phase=phase)).rule == 361


def test_health_counts_only_from_the_grants_own_report() -> None:
    assert decided(verifying(UP, picos={})).rule == 361
    assert decided(verifying(UP, epoch=1)).rule == 361
    assert decided(verifying(UP, at=ago(31))).rule == 361
    assert decided(verifying(UP, at=ago(30))).rule == 355


@pytest.mark.parametrize(("since", "rule"), [(None, 361), (ago(59.9), 361), (ago(60), 357)])
def test_60_s_of_health_end_the_operation(since: Any, rule: int) -> None:
    assert decided(verifying(HEALTHY, healthy_since=since)).rule == rule


def test_who_fell_ill_again_is_not_done() -> None:
    assert decided(verifying(HEALTHY, picos={}, healthy_since=ago(300))).rule == 361


def test_done_makes_the_target_the_active_holder_and_starts_the_cool_down() -> None:
    decision = decided(verifying(HEALTHY))
    assert (decision.rule, decision.answer) == (357, Answer.FINISH)
    record, change = written(decision), decision.change
    assert (record.phase, record.operation, record.active_since) == (Phase.ACTIVE, None, NOW)
    assert record.ended_at == NOW
    assert change is not None
    assert change.ended is not None
    assert change.ended.step is Step.DONE
    assert change.notice is not None
    assert "it took 60 s" in change.notice.text


@pytest.mark.parametrize("fields", [{"verb": Verb.SWITCHOVER}, {"by": "anna"}, {"verb": Verb.FIRST_GRANT}])
def test_operator_ordered_work_and_first_grants_start_no_cool_down(fields: dict[str, Any]) -> None:
    observed = verifying(HEALTHY)
    record = in_failover(EC1, Step.VERIFYING, trail=HEALTHY, **fields)
    assert written(decided(replace(observed, record=record))).ended_at is None


@pytest.mark.parametrize(("seconds", "rule"), [(480, 361), (480.1, 359)])
def test_one_pico_has_360_s_and_120_more(seconds: float, rule: int) -> None:
    observed = verifying(names=None)
    record = in_failover(EC1, Step.VERIFYING, step_at=ago(seconds))
    assert decided(replace(observed, record=record)).rule == rule


def test_a_record_without_an_assignment_is_given_the_time_of_one_pico() -> None:
    record = replace(in_failover(EC1, Step.VERIFYING, step_at=ago(480.1)), assignment=None)
    assert decided(replace(verifying(names=None), record=record)).rule == 359


@pytest.mark.parametrize(
    ("reports", "why"),
    [
        ({}, "its agent never reported"),
        ({NEW: a_report(EC1, NEW, phase=AgentPhase.WAITING)}, "its agent is waiting"),
        ({NEW: a_report(EC1, NEW, problem="no such server process")}, "no such server process"),
    ],
)
def test_a_bad_replacement_says_why(reports: Any, why: str) -> None:
    record = in_failover(EC1, Step.VERIFYING, step_at=ago(500))
    decision = decided(a_replaced_sight(EC1, record, "InService", reports=reports))
    assert (decision.rule, operation_after(decision).step) == (359, Step.FENCING)
    assert why in decision.sentence


def test_a_late_operation_without_a_target_is_an_alert() -> None:
    record = in_failover(EC1, Step.VERIFYING, step_at=ago(500), target=None)
    observed = a_slot(EC1, record=record)
    assert decided(observed).answer is Answer.ALERT
    assert replace_bad_target(a_situation(observed)).answer is Answer.ALERT


def draining(seconds: float = 10, report: Any = None, state: Any = InstanceState.RUNNING) -> Decision:
    order = Order("ec1-7", OrderVerb.DRAIN, holder_of(EC1), 1, ago(seconds))
    op = in_failover(EC1, Step.DRAINING, verb=Verb.SWITCHOVER, by="anna", step_at=ago(seconds))
    record = replace(op, order=order)
    reports = {holder_of(EC1): report or a_report(EC1)}
    return decided(a_slot(EC1, record=record, reports=reports, hosts=(a_host(EC1, state=state),)))


def test_a_drain_is_waited_for() -> None:
    assert (draining().rule, draining(300).rule) == (367, 367)


def test_a_drained_holder_is_fenced() -> None:
    decision = draining(report=a_report(EC1, phase=AgentPhase.OFFLINE, order_done="ec1-7"))
    assert (decision.rule, operation_after(decision).step) == (363, Step.FENCING)


@pytest.mark.parametrize(
    "report",
    [
        a_report(EC1, phase=AgentPhase.OFFLINE),
        a_report(EC1, phase=AgentPhase.OFFLINE, order_done="ec1-6"),
        a_report(EC1, phase=AgentPhase.STOPPING, order_done="ec1-7"),
    ],
)
def test_offline_by_another_order_or_not_offline_is_not_drained(report: Any) -> None:
    assert draining(report=report).rule == 367


def test_after_5_min_or_when_it_goes_the_holder_is_fenced_undrained() -> None:
    assert draining(300.1).rule == 365
    gone = draining(state=InstanceState.STOPPED)
    assert (gone.rule, operation_after(gone).step) == (365, Step.FENCING)


STUCK = {
    Step.FENCING: a_slot(EC1, record=in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.FENCING)),
    Step.AWAITING_HOST: a_slot(
        EC1,
        record=in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.AWAITING_HOST),
        hosts=(a_host(EC1, state=InstanceState.TERMINATED),),
    ),
    Step.ADDRESSING: a_replaced_sight(
        PLATFORM, in_failover(PLATFORM, Step.NEEDS_OPERATOR, stuck_in=Step.ADDRESSING)
    ),
    Step.RELEASING: a_replaced_sight(EC1, in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.RELEASING)),
    Step.VERIFYING: a_replaced_sight(
        EC1, in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.VERIFYING), "InService"
    ),
}
APPEARED: dict[Step, dict[str, Any]] = {
    Step.FENCING: {"record": replace(STUCK[Step.FENCING].record or a_record(EC1), unfenced=())},
    Step.AWAITING_HOST: {"hosts": (a_host(EC1, NEW),), "group": a_replaced_sight(EC1, a_record(EC1)).group},
    Step.ADDRESSING: {"address": an_address(PLATFORM, a_host(PLATFORM, NEW))},
    Step.RELEASING: {"group": a_replaced_sight(EC1, a_record(EC1), "InService").group},
    Step.VERIFYING: {"reports": {NEW: a_report(EC1, NEW, epoch=2, highest_epoch=2)}},
}


@pytest.mark.parametrize("step", STUCK)
def test_without_the_missing_fact_it_waits_for_its_operator_and_sends_nothing(step: Step) -> None:
    decision = decided(STUCK[step])
    assert (decision.rule, decision.answer, decision.actions) == (373, Answer.HOLD, ())


@pytest.mark.parametrize("step", STUCK)
def test_the_missing_fact_lets_it_go_on_where_it_stopped(step: Step) -> None:
    decision = decided(replace(STUCK[step], **APPEARED[step]))
    assert decision.rule == 371
    op = operation_after(decision)
    assert (op.step, op.stuck_in, op.step_at) == (step, None, NOW)
    assert decision.change is not None
    assert decision.change.notice is not None


def test_a_drain_has_no_fact_to_wait_for() -> None:
    record = in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.DRAINING)
    assert decided(a_slot(EC1, record=record)).rule == 373


def test_an_operation_that_is_stuck_nowhere_waits() -> None:
    assert decided(a_slot(EC1, record=in_failover(EC1, Step.NEEDS_OPERATOR))).rule == 373


def test_a_stuck_operation_whose_target_is_gone_comes_to_rest() -> None:
    record = in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=Step.VERIFYING, attempt=2)
    hosts = (a_host(EC1, NEW, state=InstanceState.TERMINATED),)
    seen = an_observation(a_replaced_sight(EC1, replace(record, unfenced=()), "InService", hosts=hosts))
    rules = []
    for _ in range(8):
        decision = decide_slot(seen, EC1, Policy())
        seen = saved(seen, EC1, decision.change)
        rules.append(decision.rule)
    assert rules[-1] == rules[-2]
