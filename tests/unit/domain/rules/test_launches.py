"""Rules 6xx: a launch that waits in its hook is extended, released or abandoned, and never forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NEW,
    NOW,
    a_group,
    a_host,
    a_member,
    a_record,
    a_report,
    a_slot,
    a_spec,
    ago,
    an_observation,
    at,
    holder_of,
    in_failover,
)
from picoha.domain.actions import TAKING
from picoha.domain.decision import Decision
from picoha.domain.model import InstanceId, InstanceState, Unknown
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, Step
from picoha.domain.rules.table import decide_launches

OTHER = InstanceId("i-other")


def held(age: float | None = 60, lifecycle: str = "Pending:Wait", **fields: Any) -> SlotObservation:
    """ec1 with NEW in a launch hook since `age` seconds; None = not noted yet."""
    record = fields.pop("record", a_record(EC1))
    noted = {NEW: ago(age)} if age is not None else {}
    group = a_group(EC1, a_member(holder_of(EC1)), a_member(NEW, lifecycle))
    seen = {"group": group, "hosts": (a_host(EC1), a_host(EC1, NEW))}
    return a_slot(EC1, **{**seen, **fields}, record=replace(record, held=noted))


def launched(observed: SlotObservation, **fields: Any) -> list[Decision]:
    return list(decide_launches(an_observation(observed, **fields), EC1, Policy()))


def only(observed: SlotObservation, **fields: Any) -> tuple[int, tuple[str, ...]]:
    (decision,) = launched(observed, **fields)
    return decision.rule, tuple(map(str, decision.actions))


def test_a_new_launch_is_noted_first_with_the_time_its_hook_was_seen() -> None:
    (decision,) = launched(held(None))
    assert decision.rule == 601
    assert decision.change is not None
    assert decision.change.record.held == {NEW: NOW}


def test_noting_forgets_launches_that_wait_no_more() -> None:
    observed = held(None)
    record = replace(a_record(EC1), held={OTHER: ago(60)})
    (decision,) = launched(replace(observed, record=record))
    assert decision.change is not None
    assert decision.change.record.held == {NEW: NOW}


@pytest.mark.parametrize("lifecycle", ["Pending:Wait", "Warmed:Pending:Wait"])
def test_an_ungated_launch_is_released_at_once(lifecycle: str) -> None:
    assert only(held(1, lifecycle), mode=Mode.OBSERVE) == (603, ("ReleaseLaunch i-new",))
    unsigned = held(1, lifecycle, spec=a_spec(EC1, fenceable=False))
    assert only(unsigned) == (603, ("ReleaseLaunch i-new",))


def test_a_launch_of_an_open_operation_is_gated_whatever_the_mode() -> None:
    assert only(held(1, record=in_failover(EC1)), mode=Mode.OBSERVE) == (699, ())


@pytest.mark.parametrize(("age", "rule"), [(30, 605), (31, 699)])
def test_a_warm_host_is_released_once_its_agent_has_spoken_lately(age: float, rule: int) -> None:
    reports = {NEW: a_report(EC1, NEW, at=ago(age))}
    assert only(held(1, "Warmed:Pending:Wait", reports=reports))[0] == rule


def test_a_launch_into_service_is_not_released_because_its_agent_speaks() -> None:
    assert only(held(1, reports={NEW: a_report(EC1, NEW)}))[0] == 699


@pytest.mark.parametrize("state", list(InstanceState))
def test_only_a_terminated_launch_is_abandoned(state: InstanceState) -> None:
    rule, actions = only(held(1, hosts=(a_host(EC1), a_host(EC1, NEW, state=state))))
    is_dead = state is InstanceState.TERMINATED
    assert (rule, actions) == ((607, ("AbandonLaunch i-new",)) if is_dead else (699, ()))


def test_a_terminated_launch_is_never_abandoned_in_observe() -> None:
    hosts = (a_host(EC1), a_host(EC1, NEW, state=InstanceState.TERMINATED))
    (decision,) = launched(held(1, hosts=hosts), mode=Mode.OBSERVE)
    assert not any(isinstance(action, TAKING) for action in decision.actions)


@pytest.mark.parametrize("fields", [{"target": NEW}, {"victims": (holder_of(EC1), NEW)}])
def test_a_launch_that_an_operation_owns_is_left_to_it(fields: dict[str, Any]) -> None:
    hosts = (a_host(EC1), a_host(EC1, NEW, state=InstanceState.TERMINATED))
    assert only(held(1, hosts=hosts, record=in_failover(EC1, Step.RELEASING, **fields)))[0] == 699


def test_the_holders_own_launch_is_finished() -> None:
    record = a_record(EC1, holder=NEW, unfenced=(NEW,))
    assert only(held(1, record=record)) == (609, ("ReleaseLaunch i-new",))
    verifying = in_failover(EC1, Step.VERIFYING)
    assert only(held(1, record=verifying)) == (699, ())


@pytest.mark.parametrize(("age", "rule"), [(299.9, 699), (300, 611)])
@pytest.mark.parametrize("record", [a_record(EC1), in_failover(EC1)])
def test_a_hook_is_extended_after_a_third_of_its_heartbeat(record: Any, age: float, rule: int) -> None:
    assert only(held(age, record=record))[0] == rule


def test_an_extension_starts_the_clock_anew() -> None:
    (decision,) = launched(held(300))
    assert [str(action) for action in decision.actions] == ["ExtendLaunch i-new"]
    assert decision.change is not None
    assert decision.change.record.held == {NEW: NOW}


@pytest.mark.parametrize("lifecycle", ["Pending", "Pending:Proceed", "InService", "Terminating:Wait"])
def test_who_waits_in_no_launch_hook_is_no_launch(lifecycle: str) -> None:
    assert launched(held(60, lifecycle)) == []


def test_two_launches_are_two_decisions() -> None:
    group = a_group(EC1, a_member(NEW, "Pending:Wait"), a_member(OTHER, "Pending:Wait"))
    assert [one.rule for one in launched(held(300, group=group))] == [611, 601]


@pytest.mark.parametrize(
    "fields",
    [{"newer": "schema 2"}, {"group": Unknown("throttled")}, {"group": None}],
)
def test_nothing_is_decided_for_what_is_not_understood(fields: dict[str, Any]) -> None:
    assert launched(held(9000, **fields)) == []


def test_nothing_is_decided_without_memory_or_before_the_slot_is_recorded() -> None:
    assert launched(held(9000), memory=Unknown("throttled")) == []
    assert launched(replace(held(9000), record=None)) == []


def test_another_slots_launches_are_not_this_slots() -> None:
    assert decide_launches(an_observation(held(9000)), EC2, Policy()) == ()


@pytest.mark.parametrize("case", ["ungated", "holder", "dead"])
def test_a_launch_is_completed_again_only_after_15_s(case: str) -> None:
    observed_slots = {
        "ungated": held(1, spec=a_spec(EC1, fenceable=False)),
        "holder": held(1, record=a_record(EC1, holder=NEW, unfenced=(NEW,))),
        "dead": held(1, hosts=(a_host(EC1), a_host(EC1, NEW, state=InstanceState.TERMINATED))),
    }
    seen = an_observation(observed_slots[case])
    (first,) = decide_launches(seen, EC1, Policy())
    assert first.actions
    if first.change is not None:
        seen = replace(seen, slots=(replace(observed_slots[case], record=first.change.record),))
    assert not any(launch.actions for launch in decide_launches(at(seen, 3), EC1, Policy()))
