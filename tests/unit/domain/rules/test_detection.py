"""Rules 4xx: confirm, restart in place, replace; every answer by its rule number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NOW,
    PLATFORM,
    a_dependency,
    a_group,
    a_host,
    a_record,
    a_report,
    a_sick_report,
    a_silent_slot,
    a_situation,
    a_slot,
    a_spec,
    ago,
    an_observation,
    decided,
    holder_of,
    in_failover,
    operation_after,
    paused,
    saved,
    written,
)
from picoha.domain.decision import Answer
from picoha.domain.model import InstanceState, Sample, Unknown
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Brake, Mode, Order, OrderVerb, Phase, SlotRecord, Step, Verb
from picoha.domain.rules.detection import order_restart
from picoha.domain.rules.steps import opened
from picoha.domain.rules.table import decide_slot

HOLDER = holder_of(EC1)


def sick(samples: int = 3, **fields: Any) -> SlotObservation:
    return a_slot(EC1, **{"reports": {HOLDER: a_sick_report(EC1, samples)}, **fields})


def proven_off(**fields: Any) -> SlotObservation:
    hosts = (a_host(EC1, state=InstanceState.TERMINATED),)
    return a_slot(EC1, hosts=hosts, record=a_record(EC1, unfenced=(), **fields))


def ordered(seconds: float, **fields: Any) -> Order:
    return replace(Order("ec1-7", OrderVerb.RESTART, HOLDER, 1, ago(seconds)), **fields)


@pytest.mark.parametrize(
    ("observed", "rule", "answer"),
    [
        (a_slot(EC1, reports={HOLDER: a_report(EC1, leaving_at=ago(4))}), 403, "wait"),
        (a_silent_slot(EC1, 60), 405, "wait"),
        (sick(1), 405, "wait"),
        (a_slot(EC1, metric=Unknown("throttled")), 407, "hold"),
        (a_silent_slot(EC1, 95), 445, "begin"),
        (a_silent_slot(EC1, 30), 405, "wait"),
        (a_slot(EC1), 999, "steady"),
    ],
)
def test_each_verdict_has_its_rule(observed: SlotObservation, rule: int, answer: str) -> None:
    decision = decided(observed)
    assert (decision.rule, decision.answer) == (rule, answer)


def test_a_reached_platform_is_held_and_a_dead_canary_too() -> None:
    assert decided(a_silent_slot(PLATFORM, 600)).rule == 409
    mute = (a_slot(PLATFORM, metric=None), a_slot(EC2, metric=None))
    assert decided(a_silent_slot(EC1, 600), *mute).rule == 411


def test_a_suspicion_is_looked_at_again_when_it_could_be_confirmed() -> None:
    assert decided(a_silent_slot(EC1, 60)).look_again_s == 30


def test_the_admission_names_its_victim_counts_for_the_brake_and_pins_the_mode() -> None:
    decision = decided(a_silent_slot(EC1, 95))
    change, op = decision.change, operation_after(decision)
    assert change is not None
    assert change.pins_mode
    assert change.brake is not None
    assert change.brake.admitted == {EC1: (NOW,)}
    assert (op.id, op.verb, op.step) == ("ec1-1-1", Verb.FAILOVER, Step.FENCING)
    assert (op.victim, op.victims, op.by) == (HOLDER, (HOLDER,), "controller")
    assert written(decision).phase is Phase.IN_FAILOVER
    assert decision.actions == ()


def test_the_brake_forgets_what_no_window_needs_any_more() -> None:
    brake = Brake(ver=1, admitted={EC2: (ago(86400), ago(90000)), PLATFORM: (ago(86399),)})
    change = decided(a_silent_slot(EC1, 95), brake=brake).change
    assert change is not None
    assert change.brake is not None
    assert change.brake.admitted == {PLATFORM: (ago(86399),), EC1: (NOW,)}


def test_f27_the_same_look_twice_admits_once() -> None:
    seen = an_observation(a_silent_slot(EC1, 95))
    first = decide_slot(seen, EC1, Policy())
    second = decide_slot(saved(seen, EC1, first.change), EC1, Policy())
    assert (first.rule, second.rule) == (445, 307)


def test_restart_in_place_orders_this_host_and_epoch_once() -> None:
    decision = decided(sick())
    record, change = written(decision), decision.change
    assert decision.rule == 433
    assert record.order == Order("ec1-8", OrderVerb.RESTART, HOLDER, 1, NOW)
    assert record.restarts == (NOW,)
    assert change is not None
    assert change.pins_mode
    assert record.operation is None


@pytest.mark.parametrize(("restarts", "rule"), [(2, 433), (3, 445)])
def test_three_restarts_in_60_min_then_the_host_is_replaced(restarts: int, rule: int) -> None:
    record = a_record(EC1, restarts=tuple(ago(3599 - n) for n in range(restarts)))
    assert decided(sick(record=record)).rule == rule


def test_restarts_of_an_hour_ago_are_forgotten() -> None:
    decision = decided(sick(record=a_record(EC1, restarts=(ago(3600), ago(3599)))))
    assert written(decision).restarts == (ago(3599), NOW)


@pytest.mark.parametrize(
    ("order", "done", "rule"),
    [
        (ordered(359.9), None, 431),
        (ordered(360), None, 433),
        (ordered(10), "ec1-7", 433),
        (ordered(10), "ec1-6", 431),
        (ordered(10, instance="i-old"), None, 433),
    ],
)
def test_a_restart_is_waited_for_until_it_is_done_or_too_slow(order: Any, done: Any, rule: int) -> None:
    report = a_sick_report(EC1, order_done=done)
    observed = sick(record=a_record(EC1, order=order), reports={HOLDER: report})
    assert decided(observed).rule == rule


def test_no_restarts_by_policy_replaces_at_once() -> None:
    assert decided(sick(), policy=Policy(restarts=0)).rule == 445


@pytest.mark.parametrize("fields", [{"dependencies": {"rds:mz-db": False}}, {"spec": a_spec(EC1)}])
def test_a_closed_gate_holds_the_restart_too(fields: dict[str, Any]) -> None:
    seen = an_observation(sick(**fields))
    if "spec" in fields:
        seen = replace(seen, mode=paused(60))
    decision = decide_slot(seen, EC1, Policy())
    assert (decision.rule, decision.answer) == (443, Answer.HOLD)


@pytest.mark.parametrize(
    "fields",
    [
        {"hosts": (a_host(EC1, launched_at=ago(60)),)},
        {"hosts": (a_host(EC1, planned_event="instance-reboot"),)},
        {"spec": a_spec(EC1, depends_on=(a_dependency("slot:sc1"),))},
    ],
    ids=["F30: a host launched 60 s ago", "a planned AWS event", "another slot must come first"],
)
def test_a_restart_meets_the_gates_of_taking(fields: dict[str, Any]) -> None:
    assert (decided(sick(**fields)).rule, decided(sick()).rule) == (443, 433)


def test_a_storm_holds_restarts_too() -> None:
    def sick_slot(name: str) -> SlotObservation:
        return a_slot(name, reports={holder_of(name): a_sick_report(name, 3)})

    assert decided(sick(), sick_slot("ec3"), sick_slot(EC2)).rule == 443
    assert decided(sick(), sick_slot("ec3")).rule == 433


@pytest.mark.parametrize(
    "record",
    [a_record(EC1, ended_at=ago(60)), a_record(EC1)],
    ids=["within the cool-down", "with a group of another shape"],
)
def test_what_limits_replacing_does_not_limit_restarts(record: SlotRecord) -> None:
    group = a_group(EC1, max_size=2) if record.ended_at is None else a_group(EC1)
    assert decided(sick(record=record, group=group)).rule == 433


def test_observe_writes_what_it_would_have_done_once_per_holder() -> None:
    observed = a_silent_slot(EC1, 95, record=a_record(EC1, is_armed=False))
    first = decided(observed, mode=Mode.OBSERVE)
    assert first.rule == 421
    assert written(first).would_have == HOLDER
    assert first.change is not None
    assert first.change.notice is not None
    assert first.change.notice.text.startswith("OBSERVE ")
    assert first.change.notice.text.endswith("Nothing was changed")
    again = decided(replace(observed, record=written(first)), mode=Mode.OBSERVE)
    assert (again.rule, again.change) == (423, None)


def test_the_brake_refuses_once_opens_the_breaker_and_then_holds() -> None:
    brake = Brake(ver=1, admitted={EC1: (ago(7200), ago(7100))})
    seen = an_observation(a_silent_slot(EC1, 95), brake=brake)
    first = decide_slot(seen, EC1, Policy())
    assert (first.rule, first.answer) == (441, Answer.REFUSE)
    assert first.change is not None
    assert first.change.brake is not None
    assert first.change.brake.is_open
    assert first.change.brake.opened_because == "2 automatic failovers of this slot in 6 h (limit 2)"
    assert first.change.record.operation is None
    second = decide_slot(saved(seen, EC1, first.change), EC1, Policy())
    assert (second.rule, second.answer) == (443, Answer.HOLD)


def test_the_breaker_does_not_open_for_a_failover_another_gate_would_have_refused() -> None:
    brake = Brake(ver=1, admitted={EC1: (ago(7200), ago(7100))})
    assert decided(a_silent_slot(EC1, 95, group=a_group(EC1, max_size=2)), brake=brake).rule == 443


def test_a_proven_holder_is_replaced_without_a_fence_and_counts_for_no_limit() -> None:
    decision = decided(proven_off())
    op = operation_after(decision)
    assert (decision.rule, op.step) == (401, Step.AWAITING_HOST)
    assert decision.change is not None
    assert decision.change.brake is None
    assert (op.is_automatic, op.is_recovery) == (True, True)


def test_a_proven_holder_waits_for_open_giving_gates() -> None:
    held = decided(replace(proven_off(), dependencies={"rds:mz-db": False}))
    assert (held.rule, held.answer) == (401, Answer.HOLD)
    busy = a_slot(PLATFORM, record=in_failover(PLATFORM))
    assert decided(proven_off(), busy).answer is Answer.HOLD


def test_in_observe_a_proven_holder_is_custodys() -> None:
    decision = decided(proven_off(is_armed=False), mode=Mode.OBSERVE)
    assert decision.rule == 531


def test_an_open_operation_is_not_judged_again() -> None:
    assert decided(a_silent_slot(EC1, 95, record=in_failover(EC1, Step.VERIFYING))).rule != 445


def test_a_vacant_slot_has_nobody_to_judge() -> None:
    record = a_record(EC1, phase=Phase.VACANT)
    assert decided(a_silent_slot(EC1, 600, record=record)).rule == 531


def test_a_restart_of_nobody_is_not_ordered() -> None:
    situation = a_situation(sick(record=a_record(EC1, holder=None)))
    assert order_restart(situation).answer is Answer.HOLD


def test_rules_of_an_operation_are_not_asked_of_a_slot_without_one() -> None:
    with pytest.raises(LookupError, match="ec1 has no open operation"):
        opened(a_situation(a_slot(EC1)))


def test_the_operation_remembers_the_rule_that_admitted_it() -> None:
    assert operation_after(decided(a_silent_slot(EC1, 95))).rule == 445


def test_a_metric_alone_keeps_a_holder_although_its_report_is_old() -> None:
    reports = {HOLDER: a_report(EC1, at=ago(600))}
    assert decided(a_slot(EC1, reports=reports, metric=Sample(ago(5), 1.0))).rule == 999
