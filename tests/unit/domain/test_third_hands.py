"""What people and AWS do beside picoha: copied tags, lost tags, slow restarts, seldom reports, old tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    EIP,
    NEW,
    NOW,
    PLATFORM,
    a_case,
    a_host,
    a_member,
    a_record,
    a_replaced_sight,
    a_report,
    a_request,
    a_sick_report,
    a_sight,
    a_silent_sight,
    a_spec,
    ago,
    an_address,
    an_assignment,
    an_observation,
    at,
    decided,
    holder_of,
    in_failover,
    operation_after,
    saved,
    written,
)
from picoha.domain import gates, signals
from picoha.domain.case import Case, SlotSight, with_one_platform
from picoha.domain.decide import decide_launches, decide_slot
from picoha.domain.decision import Answer
from picoha.domain.launch_rules import Launch, is_ungated
from picoha.domain.model import AgentPhase, InstanceState, Kind, Member, Pico, PicoType, SlotName
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, Order, OrderVerb, Phase, RequestVerb, SlotRecord, Step

HOLDER, PLATFORM_HOLDER = holder_of(EC1), holder_of(PLATFORM)
POLICY = Policy()


# -- a second Platform


def a_copy(name: str = "mz2", **fields: Any) -> SlotSight:
    """Another slot that calls itself a Platform; its name sorts before platform1."""
    spec = a_spec(PLATFORM, name=SlotName(name), hostname="mz-copy")
    return a_sight(
        PLATFORM, **{"name": SlotName(name), "spec": spec, "record": None, "reports": {}, **fields}
    )


def test_a_copied_platform_group_is_held_and_the_granted_platform_goes_on() -> None:
    first, ec1, copy = with_one_platform([a_sight(PLATFORM), a_sight(EC1), a_copy()])
    assert (first.problem, ec1.problem) == ("", "")
    assert "2 slots of kind platform (platform1, mz2)" in copy.problem
    decision = decided(copy)
    assert (decision.rule, decision.answer, written(decision).epoch) == (109, Answer.HOLD, 0)


@pytest.mark.parametrize("epoch", [0, 3])
def test_two_platforms_that_nothing_tells_apart_are_both_held(epoch: int) -> None:
    record = a_record(PLATFORM, epoch=epoch)
    sights = [a_sight(PLATFORM, record=record), a_copy(record=replace(record, slot=SlotName("mz2")))]
    assert all(one.problem for one in with_one_platform(sights))


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
    lost = a_sight(PLATFORM, spec=None, group=None, record=left)
    lost, copy = with_one_platform([lost, a_copy()])
    assert bool(copy.problem) is is_held
    case = a_case(a_sight(EC1), lost, copy)
    assert case.platform is not None
    assert case.platform.sight.name == (PLATFORM if is_held else "mz2")


def test_a_copy_moves_nobodys_names() -> None:
    seen = an_observation(a_sight(EC1), a_copy())
    slots = tuple(sorted(seen.slots, key=lambda one: one.name))
    case = Case(replace(seen, slots=slots), a_sight(EC1), POLICY)
    assert [one.name for one in slots if one.spec and one.spec.kind is Kind.PLATFORM] == ["mz2", "platform1"]
    assert case.platform is not None
    assert (case.platform.sight.name, case.assignment and case.assignment.platform_address) == (PLATFORM, EIP)


# -- a restart in place that takes long


def restarting(seconds: float, phase: AgentPhase = AgentPhase.STARTING, **report: Any) -> SlotSight:
    order = Order("ec1-3", OrderVerb.RESTART, HOLDER, 1, ago(seconds))
    told = a_sick_report(EC1, phase=phase, **{"order_seen": "ec1-3", **report})
    record = a_record(EC1, order=order, restarts=(ago(seconds),))
    return a_sight(EC1, record=record, reports={HOLDER: told})


@pytest.mark.parametrize(
    ("sight", "rule"),
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
def test_an_order_that_is_being_obeyed_is_not_given_again(sight: SlotSight, rule: int) -> None:
    assert decided(sight).rule == rule


def test_more_picos_take_longer() -> None:
    sight = restarting(721)
    spec = a_spec(EC1, picos=(*a_spec(EC1).picos, Pico("ec9", 7109, PicoType.EC)))
    assignment = an_assignment(EC1, spec)
    record = replace(sight.record, assignment=assignment)  # type: ignore[type-var]  # recorded here
    assert decided(replace(sight, spec=spec, record=record)).rule == 431


# -- execution slots while the Platform is away


def sick(slot: str = EC1) -> SlotSight:
    return a_sight(slot, reports={holder_of(slot): a_sick_report(slot, reaches_platform=False)})


@pytest.mark.parametrize(
    "platform",
    [
        a_silent_sight(PLATFORM, 40),
        a_sight(PLATFORM, reports={PLATFORM_HOLDER: a_sick_report(PLATFORM, 1)}),
        a_sight(PLATFORM, reports={PLATFORM_HOLDER: a_sick_report(PLATFORM)}),
        a_sight(PLATFORM, reports={PLATFORM_HOLDER: a_report(PLATFORM, leaving_at=ago(20))}),
        a_sight(PLATFORM, reports={PLATFORM_HOLDER: a_report(PLATFORM, healthy_since=ago(299))}),
    ],
    ids=["silent", "suspect", "failed", "leaving", "just well again"],
)
def test_picos_that_fail_without_their_platform_are_left_alone(platform: SlotSight) -> None:
    blind = a_sight(EC2, reports={holder_of(EC2): a_report(EC2, reaches_platform=False)})
    decision = decided(sick(), platform, blind)
    assert (decision.rule, decision.answer, decision.actions) == (443, Answer.HOLD, ())


def test_a_platform_that_a_witness_reaches_explains_nothing() -> None:
    reached = a_sight(EC2, reports={holder_of(EC2): a_report(EC2, reaches_platform=True)})
    assert decided(sick(), a_silent_sight(PLATFORM, 40), reached).rule == 433


def test_once_the_platform_is_well_for_long_they_are_restarted() -> None:
    well = a_sight(PLATFORM, reports={PLATFORM_HOLDER: a_report(PLATFORM, healthy_since=ago(300))})
    assert decided(sick(), well).rule == 433


def test_a_lost_host_waits_for_its_lost_platform() -> None:
    lost = a_silent_sight(PLATFORM, 3600)
    refused = a_sight(EC2, reports={holder_of(EC2): a_report(EC2, reaches_platform=False)})
    assert not gates.platform_first(a_case(a_silent_sight(EC1), lost, refused)).is_open
    assert decided(lost, a_silent_sight(EC1), refused).rule == 445
    assert decided(a_silent_sight(EC1)).rule == 445


def test_behind_an_open_gate_adoption_does_not_wait_for_a_lost_platform() -> None:
    gone = a_sight(PLATFORM, record=a_record(PLATFORM, is_armed=False, unfenced=()), hosts=())
    nobody = a_record(EC1, is_armed=False, unfenced=())
    decision = decided(a_sight(EC1, record=nobody), gone, mode=Mode.OBSERVE)
    assert (decision.rule, written(decision).epoch) == (513, 2)


def test_in_observe_a_well_host_without_the_slots_address_is_told() -> None:
    nobody = a_record(PLATFORM, is_armed=False, unfenced=())
    moved = an_address(PLATFORM, a_host(PLATFORM, "i-third"))
    decision = decided(a_sight(PLATFORM, record=nobody, address=moved), mode=Mode.OBSERVE)
    assert (decision.rule, decision.answer) == (531, Answer.HOLD)
    assert "runs healthy, but" in decision.sentence


# -- tags that are wrong for a while


def held_launch(mode: Mode, **fields: Any) -> Launch:
    case = a_case(a_sight(EC1, record=a_record(EC1, is_armed=mode is Mode.ENFORCE), **fields), mode=mode)
    return Launch(case, Member(NEW, "Pending:Wait"))


def test_in_enforce_a_launch_behind_wrong_tags_waits_for_better_ones() -> None:
    wrong: dict[str, Any] = {"spec": None, "problem": "tag picoha:picos is 'x'"}
    unsigned = {"spec": a_spec(EC1, fenceable=False)}
    assert not is_ungated(held_launch(Mode.ENFORCE, **wrong))
    assert is_ungated(held_launch(Mode.OBSERVE, **wrong))
    assert is_ungated(held_launch(Mode.ENFORCE, **unsigned))
    assert not is_ungated(held_launch(Mode.ENFORCE))
    launch = held_launch(Mode.ENFORCE, **wrong)
    group = replace(launch.case.group, members=(a_member(NEW, "Pending:Wait"),))  # type: ignore[type-var]  # a group here
    record = a_record(EC1, held={NEW: ago(301)})
    seen = an_observation(a_sight(EC1, group=group, record=record, **wrong))
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
    decision = decided(a_sight(PLATFORM, address=None, record=record), mode=mode)
    assert (decision.rule, decision.answer) == ((523, Answer.HOLD) if is_armed else (999, Answer.STEADY))
    assert decided(a_sight(EC1, address=None)).rule == 999


# -- an aborted operation, and a table from a backup


def test_after_abort_a_host_that_witnesses_reach_is_not_confirmed_off() -> None:
    record = a_record(PLATFORM, phase=Phase.VACANT, holder=None)
    request = a_request(RequestVerb.CONFIRM_FENCED, PLATFORM, instance=PLATFORM_HOLDER)
    vacant = a_sight(PLATFORM, record=record, requests=(request,), reports={})
    assert decided(vacant).answer is Answer.REFUSE
    moved = an_address(PLATFORM, a_host(PLATFORM, "i-third"))
    assert decided(replace(vacant, address=moved)).answer is Answer.PROVE


def test_behind_an_old_table_abort_and_adopt_are_heard_and_nothing_else() -> None:
    reports = {HOLDER: a_report(EC1, highest_epoch=9)}
    for verb, rule in ((RequestVerb.ABORT, 215), (RequestVerb.ADOPT, 217)):
        request = a_request(verb, EC1, instance=HOLDER)
        old = a_sight(EC1, record=in_failover(EC1), reports=reports, requests=(request,))
        assert decided(old).rule == rule
        first = replace(a_request(RequestVerb.FAILOVER, EC1), id="r0")
        assert decided(replace(old, requests=(request, first))).rule == 107


# -- a holder that went by itself


def test_a_recovery_counts_for_no_limit() -> None:
    off = a_sight(
        EC1, record=a_record(EC1, unfenced=()), hosts=(a_host(EC1, state=InstanceState.TERMINATED),)
    )
    op = operation_after(decided(off))
    verified = in_failover(EC1, Step.VERIFYING, rule=op.rule, verb=op.verb, by=op.by)
    trail = dict.fromkeys(("names-verified", "picos-up", "healthy", Step.VERIFYING.value), ago(70))
    assert verified.operation is not None
    told = a_report(EC1, NEW, epoch=2, highest_epoch=2)
    for rule, ended_at in ((op.rule, None), (445, NOW)):
        ending = replace(verified, operation=replace(verified.operation, trail=trail, rule=rule))
        sight = a_replaced_sight(EC1, ending, "InService", reports={NEW: told})
        assert written(decided(sight)).ended_at == ended_at


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


# -- an agent that reports seldom


def seldom(every_s: int, seconds: float, **fields: Any) -> SlotSight:
    sight = a_silent_sight(PLATFORM, seconds)
    report = replace(sight.reports[PLATFORM_HOLDER], every_s=every_s)
    return replace(sight, reports={PLATFORM_HOLDER: report}, **fields)


REFUSED = a_sight(EC1, reports={HOLDER: a_report(EC1, reaches_platform=False)})
OLD_WITNESS = a_sight(EC2, reports={holder_of(EC2): a_report(EC2, at=ago(100), every_s=60)})
NO_WITNESS = a_sight(EC2, reports={})


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
    every_s: int, seconds: float, other: SlotSight, life: signals.Life
) -> None:
    assert signals.judge(a_case(seldom(every_s, seconds), REFUSED, other)).life is life


def test_what_a_seldom_witness_could_not_reach_a_minute_ago_says_nothing_of_now() -> None:
    old = a_sight(EC1, reports={HOLDER: a_report(EC1, at=ago(100), every_s=60, reaches_platform=False)})
    assert signals.witnesses(a_case(a_silent_sight(PLATFORM, 50), old, NO_WITNESS)) == ((), ())


# -- an effect that AWS refuses for ever


def test_a_free_address_that_never_arrives_is_paged() -> None:
    seen = an_observation(a_sight(PLATFORM, address=replace(an_address(), association=None, instance=None)))
    events: list[str] = []
    for _ in range(40):
        decision = decide_slot(seen, PLATFORM, POLICY)
        events += [decision.change.event] if decision.change else []
        seen = at(saved(seen, PLATFORM, decision.change), 15)
        fresh = {PLATFORM_HOLDER: a_report(PLATFORM, at=seen.now)}
        slots = tuple(replace(one, reports=fresh) if one.name == PLATFORM else one for one in seen.slots)
        seen = replace(seen, slots=slots)
    assert decision.rule == 523
    assert (events[0], events.count("paged")) == ("address-mended", 1)
