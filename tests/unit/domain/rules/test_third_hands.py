"""What people and AWS do beside picoha: copied tags, lost tags, aborted operations, old tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EIP,
    NEW,
    NOW,
    PLATFORM,
    a_host,
    a_member,
    a_record,
    a_replaced_sight,
    a_report,
    a_request,
    a_situation,
    a_slot,
    a_spec,
    ago,
    an_address,
    an_observation,
    at,
    decided,
    holder_of,
    in_failover,
    operation_after,
    saved,
    written,
)
from picoha.domain.decision import Answer
from picoha.domain.model import InstanceState, Kind, Member, SlotName
from picoha.domain.observation import SlotObservation, with_one_platform
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, Phase, RequestVerb, SlotRecord, Step
from picoha.domain.rules.launches import Launch, is_ungated
from picoha.domain.rules.table import decide_launches, decide_slot
from picoha.domain.situation import Situation

HOLDER, PLATFORM_HOLDER = holder_of(EC1), holder_of(PLATFORM)
POLICY = Policy()


# -- a second Platform


def a_copy(name: str = "mz2", **fields: Any) -> SlotObservation:
    """Another slot that calls itself a Platform; its name sorts before platform1."""
    spec = a_spec(PLATFORM, name=SlotName(name), hostname="mz-copy")
    return a_slot(PLATFORM, **{"name": SlotName(name), "spec": spec, "record": None, "reports": {}, **fields})


def test_a_copied_platform_group_is_held_and_the_granted_platform_goes_on() -> None:
    first, ec1, copy = with_one_platform([a_slot(PLATFORM), a_slot(EC1), a_copy()])
    assert (first.problem, ec1.problem) == ("", "")
    assert "2 slots of kind platform (platform1, mz2)" in copy.problem
    decision = decided(copy)
    assert (decision.rule, decision.answer, written(decision).epoch) == (109, Answer.HOLD, 0)


@pytest.mark.parametrize("epoch", [0, 3])
def test_two_platforms_that_nothing_tells_apart_are_both_held(epoch: int) -> None:
    record = a_record(PLATFORM, epoch=epoch)
    observed_slots = [a_slot(PLATFORM, record=record), a_copy(record=replace(record, slot=SlotName("mz2")))]
    assert all(one.problem for one in with_one_platform(observed_slots))


@pytest.mark.parametrize(
    ("left", "is_held"),
    [
        (a_record(PLATFORM), True),
        (in_failover(PLATFORM, Step.AWAITING_HOST), True),
        (a_record(PLATFORM, unfenced=()), False),
    ],
    ids=["granted", "failing over", "retired"],
)
def test_a_platform_whose_tags_are_lost_keeps_its_place_until_it_is_retired(
    left: SlotRecord, is_held: bool
) -> None:
    lost = a_slot(PLATFORM, spec=None, group=None, record=left)
    lost, copy = with_one_platform([lost, a_copy()])
    assert bool(copy.problem) is is_held
    situation = a_situation(a_slot(EC1), lost, copy)
    assert situation.platform is not None
    assert situation.platform.observed.name == (PLATFORM if is_held else "mz2")


def test_a_copy_moves_nobodys_names() -> None:
    seen = an_observation(a_slot(EC1), a_copy())
    slots = tuple(sorted(seen.slots, key=lambda one: one.name))
    situation = Situation(replace(seen, slots=slots), a_slot(EC1), POLICY)
    assert [slot.name for slot in slots if slot.spec and slot.spec.kind is Kind.PLATFORM] == [
        "mz2",
        "platform1",
    ]
    assert situation.platform is not None
    assert (
        situation.platform.observed.name,
        situation.assignment and situation.assignment.platform_address,
    ) == (PLATFORM, EIP)


# -- tags that are wrong for a while


def held_launch(mode: Mode, **fields: Any) -> Launch:
    situation = a_situation(
        a_slot(EC1, record=a_record(EC1, is_armed=mode is Mode.ENFORCE), **fields), mode=mode
    )
    return Launch(situation, Member(NEW, "Pending:Wait"))


def test_in_enforce_a_launch_behind_wrong_tags_waits_for_better_ones() -> None:
    wrong: dict[str, Any] = {"spec": None, "problem": "tag picoha:picos is 'x'"}
    unsigned = {"spec": a_spec(EC1, fenceable=False)}
    assert not is_ungated(held_launch(Mode.ENFORCE, **wrong))
    assert is_ungated(held_launch(Mode.OBSERVE, **wrong))
    assert is_ungated(held_launch(Mode.ENFORCE, **unsigned))
    assert not is_ungated(held_launch(Mode.ENFORCE))
    launch = held_launch(Mode.ENFORCE, **wrong)
    group = replace(launch.situation.group, members=(a_member(NEW, "Pending:Wait"),))  # type: ignore[type-var]  # a group here
    record = a_record(EC1, held={NEW: ago(301)})
    seen = an_observation(a_slot(EC1, group=group, record=record, **wrong))
    assert [one.rule for one in decide_launches(seen, EC1, POLICY)] == [611]


# -- an Elastic IP that lost its tags


@pytest.mark.parametrize(("slot", "rule", "answer"), [(PLATFORM, 339, Answer.HOLD), (EC1, 331, Answer.STEP)])
def test_no_platform_is_granted_without_its_address(slot: str, rule: int, answer: Answer) -> None:
    decision = decided(a_replaced_sight(slot, in_failover(slot, Step.ADDRESSING), address=None))
    assert (decision.rule, decision.answer) == (rule, answer)


@pytest.mark.parametrize("is_armed", [True, False])
def test_an_active_platform_without_its_address_is_told(is_armed: bool) -> None:
    record = a_record(PLATFORM, is_armed=is_armed)
    mode = Mode.ENFORCE if is_armed else Mode.OBSERVE
    decision = decided(a_slot(PLATFORM, address=None, record=record), mode=mode)
    assert (decision.rule, decision.answer) == ((523, Answer.HOLD) if is_armed else (999, Answer.STEADY))
    assert decided(a_slot(EC1, address=None)).rule == 999


# -- an aborted operation, and a table from a backup


def test_after_abort_a_host_that_witnesses_reach_is_not_confirmed_off() -> None:
    record = a_record(PLATFORM, phase=Phase.VACANT, holder=None)
    request = a_request(RequestVerb.CONFIRM_FENCED, PLATFORM, instance=PLATFORM_HOLDER)
    vacant = a_slot(PLATFORM, record=record, requests=(request,), reports={})
    assert decided(vacant).answer is Answer.REFUSE
    moved = an_address(PLATFORM, a_host(PLATFORM, "i-third"))
    assert decided(replace(vacant, address=moved)).answer is Answer.PROVE


def test_behind_an_old_table_abort_and_adopt_are_heard_and_nothing_else() -> None:
    reports = {HOLDER: a_report(EC1, highest_epoch=9)}
    for verb, rule in ((RequestVerb.ABORT, 215), (RequestVerb.ADOPT, 217)):
        request = a_request(verb, EC1, instance=HOLDER)
        old = a_slot(EC1, record=in_failover(EC1), reports=reports, requests=(request,))
        assert decided(old).rule == rule
        first = replace(a_request(RequestVerb.FAILOVER, EC1), id="r0")
        assert decided(replace(old, requests=(request, first))).rule == 107


# -- a holder that went by itself


def test_a_recovery_counts_for_no_limit() -> None:
    off = a_slot(EC1, record=a_record(EC1, unfenced=()), hosts=(a_host(EC1, state=InstanceState.TERMINATED),))
    op = operation_after(decided(off))
    verified = in_failover(EC1, Step.VERIFYING, rule=op.rule, verb=op.verb, by=op.by)
    trail = dict.fromkeys(("names-verified", "picos-up", "healthy", Step.VERIFYING.value), ago(70))
    assert verified.operation is not None
    told = a_report(EC1, NEW, epoch=2, highest_epoch=2)
    for rule, ended_at in ((op.rule, None), (445, NOW)):
        ending = replace(verified, operation=replace(verified.operation, trail=trail, rule=rule))
        observed = a_replaced_sight(EC1, ending, "InService", reports={NEW: told})
        assert written(decided(observed)).ended_at == ended_at


# -- a parked operation whose target is gone


@pytest.mark.parametrize("step", [Step.ADDRESSING, Step.RELEASING, Step.VERIFYING])
def test_when_no_replacement_is_left_only_a_human_lets_it_go_on(step: Step) -> None:
    record = in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=step, attempt=POLICY.bad_replacements)
    going = (a_host(EC1, NEW, state=InstanceState.SHUTTING_DOWN),)
    seen = an_observation(a_replaced_sight(EC1, record, "InService", hosts=going))
    assert decide_slot(seen, EC1, POLICY).rule == 373
    early = replace(record, operation=replace(record.operation, attempt=0))  # type: ignore[type-var]  # open here
    seen = saved(seen, EC1, decide_slot(seen, EC1, POLICY).change)
    seen = an_observation(a_replaced_sight(EC1, early, "InService", hosts=going))
    assert decide_slot(seen, EC1, POLICY).rule == 371


# -- an effect that AWS refuses for ever


def test_a_free_address_that_never_arrives_is_paged() -> None:
    seen = an_observation(a_slot(PLATFORM, address=replace(an_address(), association=None, instance=None)))
    events: list[str] = []
    for _ in range(40):
        decision = decide_slot(seen, PLATFORM, POLICY)
        events += [decision.change.event] if decision.change else []
        seen = at(saved(seen, PLATFORM, decision.change), 15)
        fresh = {PLATFORM_HOLDER: a_report(PLATFORM, at=seen.now)}
        slots = tuple(replace(slot, reports=fresh) if slot.name == PLATFORM else slot for slot in seen.slots)
        seen = replace(seen, slots=slots)
    assert decision.rule == 523
    assert (events[0], events.count("paged")) == ("address-mended", 1)
