"""What no decision may ever be, on any cell that can be seen; safety S1 to S17 where they are decide's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import event, example, given

from builders import (
    EC1,
    NEW,
    PLATFORM,
    a_host,
    a_report,
    a_request,
    a_silent_slot,
    a_slot,
    an_observation,
    holder_of,
    in_failover,
    saved,
)
from picoha.domain.actions import TAKING, FenceHost, HintUnhealthy
from picoha.domain.decision import Answer, Change, Decision
from picoha.domain.judging import gates, signals
from picoha.domain.judging.invariants import broken
from picoha.domain.model import GOING_OR_GONE, EvidenceKind, InstanceState, SlotName, Unknown
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, RequestVerb, SlotRecord, Step
from picoha.domain.rules.table import SLOT_RULES, decide_launches, decide_slot
from picoha.domain.situation import Situation
from random_cells import cells

POLICY = Policy()
KNOWN_LOOPS: frozenset[int] = frozenset()
"""Rules that may take turns or repeat on a world that stands still: none."""
FENCES = (Step.FENCING, Step.DRAINING)
ADOPTED = a_request(RequestVerb.ADOPT, EC1, instance=holder_of(EC1))
TWO = (a_host(EC1), a_host(EC1, NEW))
TOLD = {NEW: a_report(EC1, NEW, highest_epoch=4)}

Check = Callable[[Observation, SlotObservation, Decision], None]


def decisions(seen: Observation) -> list[tuple[SlotName, Decision]]:
    """Every decision of one pass over the cell, launches included."""
    found = []
    for observed in seen.slots:
        found.append((observed.name, decide_slot(seen, observed.name, POLICY)))
        found += [(observed.name, launch) for launch in decide_launches(seen, observed.name, POLICY)]
    return found


def admits(decision: Decision) -> bool:
    """True for a decision that opens an operation whose first step takes."""
    op = decision.change.record.operation if decision.change else None
    return decision.answer is Answer.BEGIN and op is not None and op.step in FENCES


def no_invariant_is_broken(seen: Observation, observed: SlotObservation, decision: Decision) -> None:
    assert broken(seen, observed.name, decision) == ""


def s11_what_could_not_be_read_is_neither_taken_from_nor_given(
    _seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    if any(isinstance(one, Unknown) for one in (observed.hosts, observed.group, observed.address)):
        is_extending = 600 < decision.rule < 700
        assert decision.actions == () or is_extending
        assert decision.change is None or decision.change.grant is None
        assert not admits(decision)


def s4_evidence_is_what_ec2_or_its_group_or_a_human_said(
    _seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    shown = {one.instance: one for one in observed.hosts} if isinstance(observed.hosts, tuple) else {}
    for proof in decision.change.evidence if decision.change else ():
        host = shown.get(proof.instance)
        match proof.kind:
            case EvidenceKind.POWER:
                assert host is not None
                assert host.state is InstanceState.TERMINATED
            case EvidenceKind.ACTIVITY:
                assert host is None
                assert proof.instance in observed.departed
            case EvidenceKind.OPERATOR:
                assert proof.instance in {request.instance for request in observed.requests}
                assert proof.by != "controller"


def s1_s2_a_grant_raises_the_epoch_and_owes_nobodys_evidence(
    _seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    change, before = decision.change, observed.record or SlotRecord(observed.name)
    if change is not None and change.grant is not None:
        assert change.record.epoch > before.epoch
        assert change.record.unfenced == (change.grant,) == (change.record.holder,)
        assert set(before.unfenced) <= {change.grant}


def s2_no_grant_beside_a_heard_holder_of_a_later_epoch(
    seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    if decision.change is None or decision.change.grant is None:
        return
    situation = Situation(seen, observed, POLICY)
    for report in observed.reports.values():
        host = situation.host(report.instance)
        is_off = host is None or host.state is not InstanceState.RUNNING
        is_grantee = report.instance == decision.change.grant
        is_older = report.highest_epoch <= situation.record.epoch
        assert is_off or is_grantee or is_older or situation.fresh_report(report.instance) is None


def s6_only_the_victim_of_an_open_operation_is_fenced(
    _seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    for action in decision.actions:
        if isinstance(action, FenceHost | HintUnhealthy):
            assert observed.record is not None
            op = observed.record.operation
            assert op is not None
            assert (op.step, op.victim) == (Step.FENCING, action.instance)


def s9_in_observe_nothing_is_taken_ordered_or_begun(
    seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    if seen.mode.mode is Mode.ENFORCE:
        return
    assert not any(isinstance(action, TAKING) for action in decision.actions)
    assert decision.answer is not Answer.BEGIN
    if decision.change is not None and observed.record is not None:
        assert decision.change.record.order in (observed.record.order, None)


def a_platform_that_a_fresh_witness_reaches_is_not_lost_by_silence(
    seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    if not admits(decision) or observed.requests:
        return
    situation = Situation(seen, observed, POLICY)
    host = situation.host(situation.record.holder)
    is_going = situation.holder_is_proven_off or (host is not None and host.state in GOING_OR_GONE)
    has_failed = signals.judge(situation).life is signals.Life.PICOS_FAILED
    assert is_going or has_failed or not signals.witnesses(situation)[0]


def the_controller_admits_only_through_open_gates(
    seen: Observation, observed: SlotObservation, decision: Decision
) -> None:
    if admits(decision) and not observed.requests:
        assert gates.first_closed(Situation(seen, observed, POLICY), gates.TAKING) is None
        assert decision.change is not None
        assert decision.change.pins_mode
        assert decision.change.brake is not None


def what_a_slot_takes_is_tied_to_the_mode_it_read(
    _seen: Observation, _slot_observation: SlotObservation, decision: Decision
) -> None:
    if decision.rule < 600 and any(isinstance(action, TAKING) for action in decision.actions):
        assert decision.change is not None
        assert decision.change.pins_mode


CHECKS: tuple[Check, ...] = (
    no_invariant_is_broken,
    s11_what_could_not_be_read_is_neither_taken_from_nor_given,
    s4_evidence_is_what_ec2_or_its_group_or_a_human_said,
    s1_s2_a_grant_raises_the_epoch_and_owes_nobodys_evidence,
    s2_no_grant_beside_a_heard_holder_of_a_later_epoch,
    s6_only_the_victim_of_an_open_operation_is_fenced,
    s9_in_observe_nothing_is_taken_ordered_or_begun,
    a_platform_that_a_fresh_witness_reaches_is_not_lost_by_silence,
    the_controller_admits_only_through_open_gates,
    what_a_slot_takes_is_tied_to_the_mode_it_read,
)


@given(cells())
@example(an_observation(a_slot(EC1, record=in_failover(EC1))))
@example(an_observation(a_slot(EC1, hosts=(a_host(EC1, state=InstanceState.TERMINATED),))))
@example(an_observation(a_silent_slot(PLATFORM, 3600), a_silent_slot(EC1, 95)))
@example(an_observation(a_slot(EC1, requests=(a_request(RequestVerb.FAILOVER, EC1),))))
@example(an_observation(a_slot(EC1, record=None, requests=(ADOPTED,))))
@example(an_observation(a_slot(EC1, record=None, requests=(ADOPTED,), hosts=TWO, reports=TOLD)))
def test_every_cell_gets_a_decision_that_keeps_every_promise(seen: Observation) -> None:
    for slot, decision in decisions(seen):
        event(f"rule {decision.rule}")
        for check in CHECKS:
            check(seen, seen.slot(slot), decision)


@given(cells(Mode.OBSERVE))
def test_in_observe_every_promise_is_kept_too(seen: Observation) -> None:
    for slot, decision in decisions(seen):
        for check in CHECKS:
            check(seen, seen.slot(slot), decision)


@given(cells())
def test_the_first_rule_that_matches_decides_and_the_same_look_decides_the_same(seen: Observation) -> None:
    for observed in seen.slots:
        situation = Situation(seen, observed, POLICY)
        first = next(rule.number for rule in SLOT_RULES if rule.when(situation))
        decision = decide_slot(seen, observed.name, POLICY)
        assert decision.rule == first
        assert decision.sentence
        assert decision == decide_slot(replace(seen), observed.name, POLICY)


@given(cells())
def test_s15_without_memory_or_understanding_nothing_is_written_or_done(seen: Observation) -> None:
    blind = replace(seen, memory=Unknown("throttled"))
    newer = replace(seen, slots=tuple(replace(slot, newer="schema 2") for slot in seen.slots))
    for _, decision in decisions(blind) + decisions(newer):
        assert decision.answer in (Answer.HOLD, Answer.ALERT)
        assert (decision.change, decision.actions) == (None, ())


@given(cells())
def test_on_a_world_that_stands_still_every_slot_comes_to_rest(seen: Observation) -> None:
    for observed in seen.slots:
        still, rules = seen, list[int]()
        for _ in range(15):
            decision = decide_slot(still, observed.name, POLICY)
            if decision.change is None:
                break
            still, rules = saved(still, observed.name, decision.change), [*rules, decision.rule]
        else:
            assert set(rules[-4:]) <= KNOWN_LOOPS, f"rules {rules} never come to rest"


WRONG = {
    "a fence of a bystander": (FenceHost(holder_of("ec2")), True, "S6"),
    "a fence in no operation": (FenceHost(holder_of(EC1)), True, "S6"),
    "a fence without an intent": (FenceHost(holder_of(EC1)), False, "S7"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_checks_catch_what_they_are_for(name: str) -> None:
    action, is_saved, promise = WRONG[name]
    seen = an_observation()
    observed = seen.slot(EC1)
    assert observed.record is not None
    decision = Decision(Answer.SEND, name, (action,), Change(observed.record) if is_saved else None)
    with pytest.raises(AssertionError, match=promise):
        no_invariant_is_broken(seen, observed, decision)
