"""Rules 2xx: each request carried out once where it may be, and refused with its reason where not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NOW,
    PLATFORM,
    a_group,
    a_host,
    a_pause,
    a_record,
    a_replaced_sight,
    a_report,
    a_request,
    a_sick_report,
    a_slot,
    ago,
    an_observation,
    decided,
    holder_of,
    in_failover,
    operation_after,
    paused,
    written,
)
from picoha.domain.decision import Answer, Decision
from picoha.domain.model import Evidence, EvidenceKind, InstanceState, Unknown
from picoha.domain.policy import Policy
from picoha.domain.record import Brake, Mode, OrderVerb, Pause, Phase, RequestVerb, Step, Verb
from picoha.domain.rules.table import decide_slot
from unit.domain.asking import asked, change_of, is_refused

HOLDER = holder_of(EC1)
CONFIRM, RETRY, ABORT = RequestVerb.CONFIRM_FENCED, RequestVerb.RETRY, RequestVerb.ABORT
SWITCH, FORCE = RequestVerb.SWITCHOVER, RequestVerb.FAILOVER


@pytest.mark.parametrize(("age", "rule"), [(600, 219), (600.1, 201)])
def test_a_request_waits_at_most_10_min(age: float, rule: int) -> None:
    assert decided(asked(a_slot(EC1), SWITCH, age=age)).rule == rule


def test_the_oldest_request_comes_first() -> None:
    late, early = a_request(SWITCH, EC1, id="r2", at=ago(1)), a_request(RETRY, EC1, id="r9", at=ago(2))
    assert decided(a_slot(EC1, requests=(late, early))).rule == 213


def test_a_forced_failover_waits_behind_no_other_request() -> None:
    observed = asked(a_slot(EC1), SWITCH, age=60)
    forced = replace(asked(observed, RequestVerb.FAILOVER).requests[-1], id="r2", at=ago(1))
    both = replace(observed, requests=(*observed.requests, forced))
    assert change_of(decided(both)).consumes == "r2"


def test_a_request_for_a_slot_without_a_record_is_refused() -> None:
    observed = a_slot(EC1, record=None, reports={})
    assert is_refused(decided(asked(observed, SWITCH)), "no record")


def confirmed(slot: str, age: float, state: InstanceState | None, reached: float | None = None) -> Decision:
    """Ask to confirm the holder off, in this state (None: EC2 does not show it), heard so long ago."""
    hosts = (a_host(slot, state=state),) if state else ()
    report = a_report(slot, at=ago(age))
    observed = a_slot(slot, record=in_failover(slot), hosts=hosts, reports={report.instance: report})
    silent = a_report(EC2, reaches_platform=False)
    others = () if reached is None else (a_slot(EC1, reports={HOLDER: a_report(EC1, at=ago(reached))}),)
    others = (*others, a_slot(EC2, reports={silent.instance: silent}))
    return decided(asked(observed, CONFIRM, report.instance), *others)


def test_confirm_fenced_writes_a_named_humans_evidence() -> None:
    decision = confirmed(EC1, 90, InstanceState.SHUTTING_DOWN)
    proof = Evidence(HOLDER, EC1, EvidenceKind.OPERATOR, NOW, "drill", "anna")
    assert (decision.rule, change_of(decision).evidence) == (211, (proof,))
    assert written(decision).unfenced == ()
    assert operation_after(decision).step is Step.FENCING


@pytest.mark.parametrize(
    ("state", "age", "refusal"),
    [
        (InstanceState.RUNNING, 599.9, "EC2 says i-ec1 is running, and its own report is 600 s old"),
        (InstanceState.RUNNING, 600, ""),
        (
            InstanceState.SHUTTING_DOWN,
            89.9,
            "EC2 says i-ec1 is shutting-down, and its own report is 90 s old",
        ),
        (InstanceState.SHUTTING_DOWN, 90, ""),
        (InstanceState.STOPPED, 89.9, "EC2 says i-ec1 is stopped, and its own report is 90 s old"),
        (InstanceState.STOPPED, 90, ""),
        (None, 89.9, "EC2 does not show i-ec1, and its own report is 90 s old"),
        (None, 90, ""),
    ],
)
def test_confirm_fenced_is_refused_while_the_host_speaks(
    state: InstanceState | None, age: float, refusal: str
) -> None:
    decision = confirmed(EC1, age, state)
    assert is_refused(decision, refusal) if refusal else change_of(decision).evidence


@pytest.mark.parametrize(
    ("state", "reached", "is_taken"),
    [
        (InstanceState.RUNNING, 599.9, False),
        (InstanceState.RUNNING, 600, True),
        (InstanceState.SHUTTING_DOWN, 89.9, False),
        (InstanceState.SHUTTING_DOWN, 90, True),
    ],
)
def test_confirm_fenced_of_a_platform_is_refused_while_it_was_reached(
    state: InstanceState, reached: float, is_taken: bool
) -> None:
    decision = confirmed(PLATFORM, 9000, state, reached)
    assert bool(change_of(decision).evidence) is is_taken


@pytest.mark.parametrize("instance", [None, "i-stranger"])
def test_confirm_fenced_of_anybody_else_is_refused(instance: str | None) -> None:
    observed = a_slot(EC1, record=in_failover(EC1))
    assert is_refused(decided(asked(observed, CONFIRM, instance)), "waiting: i-ec1")
    proven = replace(observed, record=replace(in_failover(EC1), unfenced=()))
    assert is_refused(decided(asked(proven, CONFIRM, HOLDER)), "waiting: none")


@pytest.mark.parametrize("step", [Step.FENCING, Step.AWAITING_HOST, Step.ADDRESSING, Step.VERIFYING])
def test_retry_starts_the_step_anew(step: Step) -> None:
    record = in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=step, attempt=2, step_at=ago(9000))
    observed = a_slot(EC1, record=record) if step is Step.FENCING else a_replaced_sight(EC1, record)
    decision = decided(asked(observed, RETRY))
    op = operation_after(decision)
    assert (decision.rule, op.step, op.stuck_in, op.attempt) == (213, step, None, 0)
    assert (op.step_at, op.intents) == (NOW, {})


@pytest.mark.parametrize("record", [a_record(EC1), in_failover(EC1)])
def test_retry_of_what_is_not_stuck_is_refused(record: Any) -> None:
    assert is_refused(decided(asked(a_slot(EC1, record=record), RETRY)), "waits for an operator")


@pytest.mark.parametrize("step", [Step.FENCING, Step.NEEDS_OPERATOR, Step.RELEASING])
def test_abort_ends_it_vacant_and_paused_and_owes_the_evidence(step: Step) -> None:
    record = replace(in_failover(EC1, step), unfenced=(HOLDER,))
    decision = decided(asked(a_slot(EC1, record=record), ABORT))
    after, change = written(decision), change_of(decision)
    assert (decision.rule, decision.answer) == (215, Answer.FINISH)
    assert (after.phase, after.holder, after.operation) == (Phase.VACANT, None, None)
    assert after.unfenced == (HOLDER,)
    assert change.ended is not None
    assert change.ended.step is Step.ABORTED
    assert change.mode is not None
    assert change.mode.pauses[EC1].by == "anna"
    assert change.mode.pauses[EC1].until > NOW


def test_abort_keeps_the_other_pauses() -> None:
    seen = an_observation(asked(a_slot(EC1, record=in_failover(EC1)), ABORT))
    pauses: dict[str, Pause] = {EC2: a_pause(60)}
    decision = decide_slot(replace(seen, mode=replace(seen.mode, pauses=pauses)), EC1, Policy())
    mode = change_of(decision).mode
    assert mode is not None
    assert sorted(mode.pauses) == [EC1, EC2]


def test_abort_without_an_operation_is_refused() -> None:
    assert is_refused(decided(asked(a_slot(EC1), ABORT)), "no operation of this slot is open")


def test_a_switchover_drains_first_and_counts_for_no_limit() -> None:
    decision = decided(asked(a_slot(EC1), SWITCH))
    op, record, change = operation_after(decision), written(decision), change_of(decision)
    assert (decision.rule, op.verb, op.step, op.by) == (219, Verb.SWITCHOVER, Step.DRAINING, "anna")
    assert record.order is not None
    assert (record.order.verb, record.order.instance) == (OrderVerb.DRAIN, HOLDER)
    assert (change.brake, change.pins_mode, change.consumes) == (None, True, "r1")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"record": in_failover(EC1)}, "in-failover, not active"),
        ({"reports": {HOLDER: a_sick_report(EC1)}}, "its holder is not well"),
        ({"metric": Unknown("throttled")}, "its holder is not well (the metric could not be read"),
        ({"group": a_group(EC1, max_size=2)}, "not 1/1/1"),
        ({"dependencies": {"rds:mz-db": False}}, "rds:mz-db is down"),
    ],
)
def test_a_switchover_is_refused_with_its_reason(fields: dict[str, Any], why: str) -> None:
    assert is_refused(decided(asked(a_slot(EC1, **fields), SWITCH)), why)


def test_a_switchover_is_refused_in_a_pause_in_observe_and_beside_another() -> None:
    seen = an_observation(asked(a_slot(EC1), SWITCH))
    assert is_refused(decide_slot(replace(seen, mode=paused(60)), EC1, Policy()), "paused by anna")
    unarmed = asked(a_slot(EC1, record=a_record(EC1, is_armed=False)), SWITCH)
    assert is_refused(decided(unarmed, mode=Mode.OBSERVE), "the cell is in observe")
    assert is_refused(decided(asked(a_slot(EC1), SWITCH), a_slot(EC2, record=in_failover(EC2))), "ec2")


def test_a_forced_failover_skips_detection_and_limits_and_goes_straight_to_the_fence() -> None:
    record = a_record(EC1, ended_at=ago(60))
    seen = an_observation(
        asked(a_slot(EC1, record=record, dependencies={"rds:mz-db": False}), FORCE),
        brake=Brake(is_open=True, opened_because="test"),
    )
    decision = decide_slot(replace(seen, mode=paused(60)), EC1, Policy())
    op = operation_after(decision)
    assert (decision.rule, op.step, op.by, op.victim) == (221, Step.FENCING, "anna", HOLDER)
    assert change_of(decision).brake is None
    assert written(decision).unfenced == (HOLDER,)


def test_s14_force_has_limits() -> None:
    assert is_refused(decided(asked(a_slot(EC1, record=in_failover(EC1)), FORCE)), "not active")
    wrong = a_slot(EC1, group=a_group(EC1, max_size=2))
    assert is_refused(decided(asked(wrong, FORCE)), "not 1/1/1")
    unarmed = asked(a_slot(EC1, record=a_record(EC1, is_armed=False)), FORCE)
    assert is_refused(decided(unarmed, mode=Mode.OBSERVE), "observe")


def test_an_operators_work_starts_no_cool_down_and_names_its_human() -> None:
    assert operation_after(decided(asked(a_slot(EC1), FORCE))).reason == "forced by anna: drill"


@pytest.mark.parametrize("verb", [ABORT, CONFIRM])
def test_a_retired_or_parked_slot_still_hears_its_operator(verb: RequestVerb) -> None:
    for group in (None, a_group(EC1, min_size=0, desired=0)):
        observed = a_slot(EC1, group=group, record=in_failover(EC1), hosts=(), reports={})
        assert decided(asked(observed, verb, HOLDER)).answer is not Answer.REFUSE
