"""Rules 33x and 34x: the address, then the launch, then the grant; never out of order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    NEW,
    NOW,
    PLATFORM,
    a_free_address,
    a_host,
    a_replaced_sight,
    a_situation,
    a_spec,
    ago,
    an_address,
    an_assignment,
    decided,
    holder_of,
    in_failover,
    operation_after,
    written,
)
from picoha.domain.actions import FreeAddress, MoveAddress, ReleaseLaunch
from picoha.domain.decision import Answer
from picoha.domain.model import AllocationId, AssociationId, InstanceId, InstanceState, InterfaceId
from picoha.domain.observation import SlotObservation
from picoha.domain.record import Mode, Phase, Step
from picoha.domain.rules.granting import grant

VICTIM = holder_of(PLATFORM)
ON_TARGET = an_address(PLATFORM, a_host(PLATFORM, NEW))
ON_VICTIM = an_address(PLATFORM)
ON_STRANGER = an_address(PLATFORM, a_host(PLATFORM, "i-third"))


def addressing(**fields: Any) -> SlotObservation:
    return a_replaced_sight(PLATFORM, in_failover(PLATFORM, Step.ADDRESSING), **fields)


def releasing(lifecycle: str, **fields: Any) -> SlotObservation:
    return a_replaced_sight(EC1, in_failover(EC1, Step.RELEASING), lifecycle, **fields)


def test_a_free_address_goes_to_the_targets_interface_by_id_under_an_intent() -> None:
    decision = decided(addressing())
    assert decision.rule == 339
    assert decision.actions == (MoveAddress(AllocationId("eipalloc-platform1"), InterfaceId("eni-new"), NEW),)
    assert list(operation_after(decision).intents) == ["MoveAddress eipalloc-platform1 eni-new"]


def test_the_launch_is_released_only_after_the_address_is_seen_on_the_target() -> None:
    decision = decided(addressing(address=ON_TARGET))
    assert (decision.rule, operation_after(decision).step) == (331, Step.RELEASING)
    assert decision.actions == ()


def test_a_slot_without_an_address_needs_none() -> None:
    decision = decided(a_replaced_sight(EC1, in_failover(EC1, Step.ADDRESSING)))
    assert (decision.rule, operation_after(decision).step) == (331, Step.RELEASING)


def test_f34_an_address_that_is_already_there_is_not_associated_again() -> None:
    assert decided(addressing(address=ON_TARGET)).actions == ()


def test_an_address_on_a_proven_victim_is_freed_by_that_association() -> None:
    decision = decided(addressing(address=ON_VICTIM))
    assert decision.rule == 333
    assert decision.actions == (FreeAddress(AssociationId("eipassoc-platform1"), VICTIM),)
    assert decision.change is not None
    assert decision.change.pins_mode


def test_freeing_is_taking_and_needs_enforce() -> None:
    decision = decided(addressing(address=ON_VICTIM), mode=Mode.OBSERVE)
    assert (decision.rule, decision.answer) == (333, Answer.HOLD)


@pytest.mark.parametrize("address", [replace(ON_VICTIM, association=None), ON_VICTIM])
def test_an_address_on_a_victim_without_evidence_is_never_freed(address: Any) -> None:
    observed = addressing(address=address)
    record = replace(in_failover(PLATFORM, Step.ADDRESSING), unfenced=(VICTIM,))
    assert not any(
        isinstance(action, FreeAddress) for action in decided(replace(observed, record=record)).actions
    )


def test_an_association_that_ended_meanwhile_is_waited_for() -> None:
    decision = decided(addressing(address=replace(ON_VICTIM, association=None)))
    assert (decision.rule, decision.answer) == (333, Answer.WAIT)


@pytest.mark.parametrize(
    "address",
    [ON_STRANGER, replace(ON_STRANGER, instance=None), replace(ON_TARGET, interface=InterfaceId("eni-2"))],
)
def test_f35_an_address_anywhere_else_is_paged_and_never_taken(address: Any) -> None:
    decision = decided(addressing(address=address))
    assert (decision.rule, decision.answer, decision.actions) == (337, Answer.ALERT, ())


def test_f36_an_instance_id_that_only_begins_alike_is_another_host() -> None:
    almost = an_address(PLATFORM, a_host(PLATFORM, f"{NEW}1"))
    assert decided(addressing(address=almost)).rule == 337


def test_f39_of_several_interfaces_the_hosts_primary_is_named() -> None:
    host = a_host(PLATFORM, NEW, interface=InterfaceId("eni-primary"))
    decision = decided(addressing(hosts=(host,)))
    assert isinstance(decision.actions[0], MoveAddress)
    assert decision.actions[0].interface == "eni-primary"


def test_without_an_interface_or_the_host_nothing_is_associated() -> None:
    assert decided(addressing(hosts=(a_host(PLATFORM, NEW, interface=None),))).answer is Answer.WAIT
    assert decided(addressing(hosts=())).answer is Answer.WAIT


@pytest.mark.parametrize(("seconds", "rule"), [(300, 339), (300.1, 335)])
def test_5_min_without_the_address_need_an_operator(seconds: float, rule: int) -> None:
    record = in_failover(PLATFORM, Step.ADDRESSING, step_at=ago(seconds))
    assert decided(a_replaced_sight(PLATFORM, record)).rule == rule


def test_a_held_launch_is_completed_with_continue() -> None:
    decision = decided(releasing("Pending:Wait"))
    assert (decision.rule, decision.actions) == (345, (ReleaseLaunch("demo-ec1", NEW),))
    assert decision.change is not None
    assert not decision.change.pins_mode


@pytest.mark.parametrize("lifecycle", ["Pending:Proceed", "Pending", "Standby"])
def test_only_in_service_is_in_service(lifecycle: str) -> None:
    decision = decided(releasing(lifecycle))
    assert (decision.rule, decision.answer) == (345, Answer.WAIT)


@pytest.mark.parametrize(("seconds", "rule"), [(300, 345), (300.1, 343)])
def test_5_min_without_service_need_an_operator(seconds: float, rule: int) -> None:
    record = in_failover(EC1, Step.RELEASING, step_at=ago(seconds))
    decision = decided(a_replaced_sight(EC1, record, "Pending:Proceed"))
    assert decision.rule == rule


def test_the_grant_raises_the_epoch_by_one_and_asks_for_every_victims_evidence() -> None:
    op = {"victims": (holder_of(EC1), "i-bad")}
    decision = decided(a_replaced_sight(EC1, in_failover(EC1, Step.RELEASING, **op), "InService"))
    assert decision.rule == 341
    change, record = decision.change, written(decision)
    assert change is not None
    assert (change.grant, change.proven) == (NEW, (holder_of(EC1), "i-bad"))
    assert (record.epoch, record.holder, record.phase) == (2, NEW, Phase.GRANTED)
    assert (record.unfenced, record.is_armed, record.granted_at) == ((NEW,), True, NOW)
    assert operation_after(decision).step is Step.VERIFYING


def test_the_grant_tells_the_host_what_the_tags_say_now() -> None:
    decision = decided(releasing("InService", spec=a_spec(EC1, container="EC_ONE")))
    assert written(decision).assignment == an_assignment(EC1, container="EC_ONE")


def test_a_grant_without_evidence_of_an_earlier_grantee_is_refused() -> None:
    record = replace(in_failover(EC1, Step.RELEASING), unfenced=(InstanceId("i-older"),))
    decision = decided(replace(releasing("InService"), record=record))
    assert (decision.rule, decision.answer) == (341, Answer.ALERT)
    assert decision.change is None or decision.change.grant is None


def test_a_grant_without_a_target_writes_nothing() -> None:
    record = in_failover(EC1, Step.RELEASING, target=None)
    observed = a_replaced_sight(EC1, record, "InService")
    decision = decided(observed)
    assert decision.change is None or decision.change.grant is None
    assert grant(a_situation(observed)).answer is Answer.ALERT


def test_a_free_address_stays_where_it_is_while_a_dependency_is_down() -> None:
    decision = decided(addressing(address=a_free_address(), dependencies={"rds:mz-db": False}))
    assert (decision.rule, decision.answer, decision.actions) == (315, Answer.HOLD, ())


def test_h18_a_changed_hostname_is_not_granted() -> None:
    decision = decided(releasing("InService", spec=a_spec(EC1, hostname="ec1other")))
    granted = decision.change is not None and decision.change.grant is not None
    assert not granted or written(decision).assignment == an_assignment(EC1)


@pytest.mark.parametrize(
    ("slot", "step"), [(PLATFORM, Step.ADDRESSING), (EC1, Step.RELEASING), (EC1, Step.AWAITING_HOST)]
)
def test_f7_an_outage_longer_than_the_deadline_needs_no_operator_afterwards(slot: str, step: Step) -> None:
    record = in_failover(slot, step, step_at=ago(1200))
    observed = a_replaced_sight(slot, record, dependencies={"rds:mz-db": False})
    if step is Step.AWAITING_HOST:
        observed = replace(observed, hosts=())
    held = decided(observed)
    assert held.rule == 315
    after = decided(replace(observed, record=written(held), dependencies={"rds:mz-db": True}))
    assert operation_after(after).step is not Step.NEEDS_OPERATOR


def test_a_victim_that_a_human_confirmed_does_not_keep_the_grant_waiting() -> None:
    hosts = (a_host(EC1, state=InstanceState.SHUTTING_DOWN), a_host(EC1, NEW))
    assert decided(releasing("InService", hosts=hosts)).rule == 341


def test_a_host_that_was_never_granted_keeps_the_grant_waiting_until_it_is_terminated() -> None:
    hosts = (a_host(EC1, NEW), a_host(EC1, "i-stray", state=InstanceState.SHUTTING_DOWN))
    decision = decided(releasing("InService", hosts=hosts))
    assert (decision.rule, decision.answer) == (344, Answer.HOLD)
    lives = (a_host(EC1, NEW), a_host(EC1, "i-stray", state=InstanceState.RUNNING))
    assert decided(releasing("InService", hosts=lives)).answer is Answer.ALERT
    dead = (a_host(EC1, NEW), a_host(EC1, "i-stray", state=InstanceState.TERMINATED))
    assert decided(releasing("InService", hosts=dead)).rule == 341
