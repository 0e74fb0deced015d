"""The second reading of safety.md 4: every forbidden order is caught, every allowed one passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    NEW,
    NOW,
    PLATFORM,
    a_group,
    a_host,
    a_member,
    a_record,
    a_replaced_sight,
    a_slot,
    a_vacant_record,
    an_observation,
    an_operation,
    decided,
    holder_of,
    in_failover,
    operation_after,
)
from picoha.domain.actions import (
    AbandonLaunch,
    Action,
    ExtendLaunch,
    FenceHost,
    FreeAddress,
    HintUnhealthy,
    MoveAddress,
    ReleaseLaunch,
)
from picoha.domain.decision import Answer, Change, Decision
from picoha.domain.judging.invariants import broken
from picoha.domain.model import (
    AllocationId,
    AssociationId,
    Evidence,
    EvidenceKind,
    InstanceState,
    InterfaceId,
    Unknown,
)
from picoha.domain.observation import Observation
from picoha.domain.record import Mode, Order, OrderVerb, Phase, SlotRecord, Step

HOLDER = holder_of(EC1)
ASSOCIATION = AssociationId("eipassoc-ec1")
FENCE, HINT = FenceHost(HOLDER), HintUnhealthy(HOLDER)
FREE, ABANDON = FreeAddress(ASSOCIATION, HOLDER), AbandonLaunch("demo-ec1", HOLDER)
PROVEN = in_failover(EC1, Step.ADDRESSING)


def cell(record: SlotRecord | None, mode: Mode = Mode.ENFORCE, **fields: Any) -> Observation:
    return an_observation(a_slot(EC1, record=record, **fields), mode=mode)


def sends(record: SlotRecord | None, *actions: Action, mode: Mode = Mode.ENFORCE, **fields: Any) -> str:
    intent = Change(record or SlotRecord(EC1))
    return broken(cell(record, mode, **fields), EC1, Decision(Answer.SEND, "", actions, intent))


def writes(before: SlotRecord | None, after: SlotRecord, **change: Any) -> str:
    decision = Decision(Answer.STEP, "", change=Change(after, **change))
    return broken(cell(before), EC1, decision)


def proof_of(instance: Any) -> Evidence:
    return Evidence(instance, EC1, EvidenceKind.POWER, NOW, "EC2 says terminated")


def test_a_decision_that_does_nothing_breaks_nothing() -> None:
    assert broken(cell(None), EC1, Decision(Answer.HOLD, "")) == ""


@pytest.mark.parametrize("action", [FENCE, ReleaseLaunch("demo-ec1", HOLDER)])
def test_s7_no_effect_is_sent_without_a_saved_intent(action: Action) -> None:
    assert broken(cell(in_failover(EC1)), EC1, Decision(Answer.SEND, "", (action,))).startswith("S7")
    assert sends(in_failover(EC1), action) == ""


@pytest.mark.parametrize("action", [FENCE, HINT, FREE, ABANDON])
def test_s9_nothing_is_taken_in_observe(action: Action) -> None:
    record = in_failover(EC1) if action in (FENCE, HINT) else PROVEN
    assert sends(record, action, mode=Mode.OBSERVE).startswith("S9")
    assert sends(record, action) == ""


@pytest.mark.parametrize("verb", list(OrderVerb))
def test_s9_and_s6_nothing_is_ordered_in_observe_or_from_a_bystander(verb: OrderVerb) -> None:
    def orders(mode: Mode = Mode.ENFORCE, pins_mode: bool = True, **fields: Any) -> str:
        order = replace(Order("ec1-8", verb, HOLDER, 1, NOW), **fields)
        change = Change(a_record(EC1, order=order), pins_mode=pins_mode)
        return broken(cell(a_record(EC1), mode), EC1, Decision(Answer.BEGIN, "", change=change))

    assert orders() == ""
    assert orders(mode=Mode.OBSERVE).startswith("S9")
    assert orders(pins_mode=False).startswith("S9")
    assert orders(instance=NEW).startswith("S6")
    assert orders(epoch=2).startswith("S6")


@pytest.mark.parametrize(
    "action",
    [
        MoveAddress(AllocationId("eipalloc-1"), InterfaceId("eni-1"), NEW),
        ReleaseLaunch("demo-ec1", NEW),
        ExtendLaunch("demo-ec1", NEW),
    ],
)
def test_giving_is_allowed_in_every_mode(action: Action) -> None:
    assert sends(a_record(EC1), action, mode=Mode.OBSERVE) == ""


@pytest.mark.parametrize("action", [FenceHost(NEW), HintUnhealthy(NEW), FenceHost(NEW, force=True)])
def test_s6_only_the_victim_is_fenced(action: Action) -> None:
    assert sends(in_failover(EC1), action).startswith("S6")


@pytest.mark.parametrize("action", [FENCE, HINT])
def test_s6_nobody_is_fenced_without_an_admitted_operation(action: Action) -> None:
    assert sends(a_record(EC1), action).startswith("S6")
    assert sends(None, action).startswith("S6")


def test_s6_an_earlier_victim_is_not_fenced_again() -> None:
    record = in_failover(EC1, Step.FENCING, victim=NEW, victims=(HOLDER, NEW))
    assert sends(record, FENCE).startswith("S6")
    assert sends(record, FenceHost(NEW)) == ""


def test_s5_an_address_is_freed_only_from_a_proven_victim() -> None:
    assert sends(PROVEN, FREE) == ""
    assert sends(PROVEN, FreeAddress(ASSOCIATION, NEW)).startswith("S5")
    assert sends(in_failover(EC1), FREE).startswith("S5")
    assert sends(a_record(EC1), FREE).startswith("S5")


def test_s6_only_a_launch_that_is_off_is_abandoned() -> None:
    dead, living = a_host(EC1, NEW, state=InstanceState.TERMINATED), a_host(EC1, NEW)
    action = AbandonLaunch("demo-ec1", NEW)
    group = a_group(EC1, a_member(NEW, "Pending:Wait"))
    assert sends(a_record(EC1), action, hosts=(dead,), group=group) == ""
    assert sends(a_record(EC1), action, hosts=(living,), group=group).startswith("S6")
    assert sends(a_record(EC1), action, hosts=(), group=group).startswith("S6")
    assert sends(PROVEN, ABANDON, hosts=()) == ""
    assert sends(in_failover(EC1), ABANDON, hosts=(a_host(EC1),)).startswith("S6")


def test_the_first_forbidden_action_of_several_is_named() -> None:
    assert "i-new" in sends(in_failover(EC1), FENCE, FenceHost(NEW))


@pytest.mark.parametrize("fields", [{"memory": Unknown("throttled")}, {}])
def test_s15_what_was_not_understood_is_not_changed(fields: dict[str, Any]) -> None:
    seen = an_observation(a_slot(EC1, newer="" if fields else "schema 2"), **fields)
    decision = Decision(Answer.UPKEEP, "", change=Change(a_record(EC1)))
    assert broken(seen, EC1, decision).startswith("S15")


def test_s16_a_change_is_tied_to_the_version_read() -> None:
    before = a_record(EC1)
    assert writes(before, before) == ""
    assert writes(before, replace(before, ver=8)).startswith("S16")
    assert writes(None, SlotRecord(EC1)) == ""
    assert writes(None, SlotRecord(EC1, ver=1)).startswith("S16")


def test_s1_an_epoch_changes_only_by_a_grant_and_only_upwards() -> None:
    before = a_vacant_record(EC1, epoch=3)
    after = replace(before, epoch=4, holder=NEW, unfenced=(NEW,), phase=Phase.ACTIVE)
    assert writes(before, after, grant=NEW) == ""
    assert writes(before, after).startswith("S1:")
    assert writes(before, replace(after, epoch=2), grant=NEW).startswith("S1:")


def test_s2_a_grant_needs_evidence_of_every_earlier_grantee() -> None:
    before = in_failover(EC1, Step.RELEASING)
    after = replace(before, epoch=2, holder=NEW, phase=Phase.GRANTED, unfenced=(NEW,))
    assert writes(before, after, grant=NEW) == ""
    owed = replace(before, unfenced=(HOLDER,))
    assert writes(owed, after, grant=NEW).startswith("S2: a grant while i-ec1")
    assert writes(before, replace(after, holder=HOLDER), grant=NEW).startswith("S2")


def test_s2_a_human_may_adopt_the_one_who_is_owed_evidence() -> None:
    before = a_record(EC1)
    assert writes(before, replace(before, epoch=2), grant=HOLDER) == ""


def test_s2_nobody_is_forgotten_without_evidence() -> None:
    before = in_failover(EC1)
    after = replace(before, unfenced=())
    assert writes(before, after).startswith("S2: i-ec1 would be forgotten")
    assert writes(before, after, evidence=(proof_of(NEW),)).startswith("S2")
    assert writes(before, after, evidence=(proof_of(HOLDER),)) == ""


def test_s10_an_open_operation_ends_only_by_its_end() -> None:
    before = in_failover(EC1, Step.VERIFYING)
    after = replace(before, operation=None, phase=Phase.ACTIVE)
    assert writes(before, after).startswith("S10")
    assert writes(before, after, ended=an_operation(EC1, Step.DONE)) == ""


def test_s10_in_failover_without_an_operation_is_refused() -> None:
    before = a_record(EC1)
    assert writes(before, replace(before, phase=Phase.IN_FAILOVER)).startswith("S10")


def test_s13_two_steps_of_an_operation_number_their_intents_apart() -> None:
    fencing = operation_after(decided(a_slot(PLATFORM, record=in_failover(PLATFORM))))
    proven = replace(in_failover(PLATFORM), operation=fencing, unfenced=())
    moved = operation_after(decided(a_slot(PLATFORM, record=proven)))
    addressing = replace(proven, operation=replace(moved, step=Step.ADDRESSING, target=NEW))
    later = operation_after(decided(a_replaced_sight(PLATFORM, addressing)))
    used = {intent.number for intent in fencing.intents.values()}
    assert used
    assert used.isdisjoint(intent.number for intent in later.intents.values())
