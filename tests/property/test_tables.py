"""The rule tables as wholes: ordered, total, reachable, every action carried out, no state a trap."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import operator_edges
from builders import (
    EC1,
    NEW,
    PLATFORM,
    a_free_address,
    a_group,
    a_host,
    a_member,
    a_replaced_sight,
    a_report,
    a_request,
    a_slot,
    an_address,
    an_observation,
    at,
    decided,
    holder_of,
    in_failover,
    operation_after,
    saved,
)
from picoha.adapters.aws.actuators import GRANTS
from picoha.app.act import act
from picoha.app.ports import Actuators
from picoha.domain.actions import TAKING, Action
from picoha.domain.decision import Answer, Decision
from picoha.domain.model import AgentPhase, InstanceId, InstanceState
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Phase, RequestVerb, Step
from picoha.domain.rules.launches import Launch
from picoha.domain.rules.table import LAUNCH_RULES, SLOT_RULES, decide_launches, decide_slot
from picoha.domain.situation import Situation
from picoha.fakeaws.autoscaling.api import AutoScaling
from picoha.fakeaws.clients import played
from picoha.fakeaws.ec2.addresses import ElasticAddresses
from picoha.fakeaws.ec2.api import Ec2
from random_cells import LIFECYCLES
from unit.domain.golden.cases import golden_cases

POLICY = Policy()
ENDED = (Step.DONE, Step.ABORTED)
WORKING = tuple(one for one in Step if one not in (*ENDED, Step.NEEDS_OPERATOR))
T_MAX_S = 30 * 60
"""Longest way to a human (docs/safety.md, L1): verify or drain too late, then a fence that never comes."""
RULES_PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def numbers() -> tuple[list[int], list[int]]:
    return [rule.number for rule in SLOT_RULES], [rule.number for rule in LAUNCH_RULES]


def test_numbers_rise_in_the_order_in_which_rules_are_asked_and_are_unique() -> None:
    for table in numbers():
        assert table == sorted(set(table))
    assert not set(numbers()[0]) & set(numbers()[1])


def test_every_rule_has_a_name_of_its_own() -> None:
    names = Counter([rule.name for rule in SLOT_RULES] + [rule.name for rule in LAUNCH_RULES])
    assert [name for name, count in names.items() if count > 1] == []


def test_both_tables_end_with_a_rule_that_always_matches() -> None:
    for golden in golden_cases():
        situation = Situation(golden.seen, golden.seen.slot(golden.slot), golden.policy)
        assert SLOT_RULES[-1].when(situation)
        for lifecycle in LIFECYCLES:
            assert LAUNCH_RULES[-1].when(Launch(situation, a_member(NEW, lifecycle)))


def test_every_rule_is_reached_by_a_golden_case() -> None:
    fired: set[int] = set()
    for golden in golden_cases():
        fired.add(decide_slot(golden.seen, golden.slot, golden.policy).rule)
        fired |= {launch.rule for launch in decide_launches(golden.seen, golden.slot, golden.policy)}
    slots, launches = numbers()
    assert sorted({*slots, *launches} - fired) == [], "rules without a golden case"
    assert sorted(fired - {*slots, *launches}) == []


def test_every_action_is_ordered_by_a_golden_case() -> None:
    ordered: set[type[Any]] = set()
    for golden in golden_cases():
        all_of = (
            decide_slot(golden.seen, golden.slot, golden.policy),
            *decide_launches(golden.seen, golden.slot, golden.policy),
        )
        ordered |= {type(action) for one in all_of for action in one.actions}
    assert ordered == set(get_args(Action))
    assert set(TAKING) < ordered


class Recorder:
    """Actuators that note which order was given."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def order(*_arguments: Any) -> str:
            self.orders.append(name)
            return "request-1"

        return order


@pytest.mark.parametrize("kind", get_args(Action), ids=lambda one: one.__name__)
def test_every_action_has_an_order_a_grant_and_a_drill_that_plays_it(kind: type[Any]) -> None:
    texts = [name for name, hint in kind.__annotations__.items() if hint != "bool"]
    action = kind(**{name: f"{name}-1" for name in texts})
    hands: Any = Recorder()
    (result,) = act([action], hands)
    assert result.outcome == "accepted"
    assert hands.orders[0] in vars(Actuators)
    drill = {name for part in (Ec2, ElasticAddresses, AutoScaling) for name in played(part)}
    assert {grant.partition(":")[2] for grant in GRANTS[kind.__name__]} <= drill


def at_step(step: Step, slot: str = EC1) -> Observation:
    """The cell with an operation in this step, and the world as the step finds it."""
    if step in (Step.DRAINING, Step.FENCING):
        return an_observation(a_slot(slot, record=in_failover(slot, step)))
    if step is Step.AWAITING_HOST:
        hosts = (a_host(slot, state=InstanceState.TERMINATED),)
        group = replace(a_group(slot), members=())
        record = in_failover(slot, step)
        return an_observation(a_slot(slot, record=record, hosts=hosts, group=group, reports={}))
    return an_observation(a_replaced_sight(slot, in_failover(slot, step)))


@pytest.mark.parametrize("step", [one for one in Step if one not in ENDED])
@pytest.mark.parametrize("slot", [PLATFORM, EC1])
def test_every_open_step_is_decided_by_the_operations_own_rules(step: Step, slot: str) -> None:
    record = in_failover(slot, step, stuck_in=Step.FENCING if step is Step.NEEDS_OPERATOR else None)
    assert 300 < decided(a_slot(slot, record=record)).rule < 400


def rest(seen: Observation, slot: Any) -> tuple[Observation, Decision]:
    """Decide and save until nothing more is written."""
    for _ in range(20):
        decision = decide_slot(seen, slot, POLICY)
        if decision.change is None or decision.answer in (Answer.SEND, Answer.FINISH):
            return saved(seen, slot, decision.change), decision
        seen = saved(seen, slot, decision.change)
    raise AssertionError(f"rule {decision.rule} does not come to rest")


@pytest.mark.parametrize("step", WORKING)
@pytest.mark.parametrize("slot", [PLATFORM, EC1])
def test_l1_in_a_world_that_does_nothing_every_step_ends_at_a_human(step: Step, slot: Any) -> None:
    seen = at_step(step, slot)
    for _ in range(0, T_MAX_S, 10):
        seen, _ = rest(seen, slot)
        record = seen.slot(slot).record
        assert record is not None
        if record.operation is not None and record.operation.step is Step.NEEDS_OPERATOR:
            assert any(notice.severity == "page" for notice in record.outbox)
            return
        seen = at(seen, 10)
    raise AssertionError("no human was called")


def obey(seen: Observation, slot: Any, decision: Decision) -> Observation:
    """The world a little later: every order was carried out, the agent did as it was told."""
    observed = seen.slot(slot)
    for action in decision.actions:
        observed = _carried_out(observed, type(action).__name__, action)
    observed = _with_agent(observed, seen)
    return replace(seen, slots=tuple(observed if one.name == slot else one for one in seen.slots))


def _carried_out(observed: SlotObservation, name: str, action: Any) -> SlotObservation:
    slot, named = observed.name, action.instance
    match name:
        case "FenceHost":
            dead = a_host(slot, named, state=InstanceState.TERMINATED)
            return replace(observed, hosts=(dead,), group=replace(a_group(slot), members=()))
        case "AbandonLaunch":
            return replace(observed, group=replace(a_group(slot), members=()))
        case "FreeAddress":
            return replace(observed, address=a_free_address(slot))
        case "MoveAddress":
            return replace(observed, address=an_address(slot, a_host(slot, named)))
        case "ReleaseLaunch":
            return replace(observed, group=a_group(slot, a_member(named)))
    return observed


def _with_agent(observed: SlotObservation, seen: Observation) -> SlotObservation:
    record = observed.record
    assert record is not None
    op = record.operation
    if record.phase is Phase.GRANTED and record.holder:
        told = {"epoch": record.epoch, "highest_epoch": record.epoch, "at": seen.now}
        report = a_report(observed.name, record.holder, **told, healthy_since=record.granted_at)
        return replace(observed, reports={record.holder: report})
    if op and op.step is Step.DRAINING and record.order and op.victim:
        done = {"phase": AgentPhase.OFFLINE, "order_done": record.order.id, "at": seen.now}
        return replace(observed, reports={op.victim: a_report(observed.name, op.victim, **done)})
    if op and op.step is Step.AWAITING_HOST and isinstance(observed.hosts, tuple):
        launched = InstanceId(f"{NEW}-{len(observed.hosts)}")
        group = a_group(observed.name, a_member(launched, "Pending:Wait"))
        return replace(observed, hosts=(*observed.hosts, a_host(observed.name, launched)), group=group)
    return observed


def ends(seen: Observation, slot: Any) -> Step:
    """Where an operation ends when the world does as it is told."""
    for _ in range(60):
        seen, decision = rest(seen, slot)
        if decision.change is not None and decision.change.ended is not None:
            return decision.change.ended.step
        seen = obey(at(seen, 10), slot, decision)
    raise AssertionError(f"rule {decision.rule}: {decision.sentence}")


@pytest.mark.parametrize("step", WORKING)
@pytest.mark.parametrize("slot", [PLATFORM, EC1])
def test_l1_in_a_world_that_obeys_every_step_ends_done(step: Step, slot: Any) -> None:
    assert ends(at_step(step, slot), slot) is Step.DONE


@pytest.mark.parametrize("step", WORKING)
@pytest.mark.parametrize("slot", [PLATFORM, EC1])
def test_l5_a_retry_lets_every_stuck_step_end_done(step: Step, slot: Any) -> None:
    seen = at_step(step, slot)
    observed = seen.slot(slot)
    record = in_failover(slot, Step.NEEDS_OPERATOR, stuck_in=step)
    asked = replace(observed, record=record, requests=(a_request(RequestVerb.RETRY, slot),))
    seen = replace(seen, slots=tuple(asked if one.name == slot else one for one in seen.slots))
    assert ends(seen, slot) is Step.DONE


@pytest.mark.parametrize("step", [one for one in Step if one not in ENDED])
def test_l5_every_open_state_can_be_aborted_by_its_operator(step: Step) -> None:
    stuck_in = Step.FENCING if step is Step.NEEDS_OPERATOR else None
    record = in_failover(EC1, step, stuck_in=stuck_in)
    decision = decided(a_slot(EC1, record=record, requests=(a_request(RequestVerb.ABORT),)))
    assert decision.change is not None
    assert decision.change.ended is not None
    assert decision.change.ended.step is Step.ABORTED


@pytest.mark.parametrize("step", [one for one in Step if one not in ENDED])
def test_l5_a_missing_proof_can_be_given_by_a_named_human_in_every_open_state(step: Step) -> None:
    stuck_in = Step.FENCING if step is Step.NEEDS_OPERATOR else None
    owed = replace(in_failover(EC1, step, stuck_in=stuck_in), unfenced=(InstanceId("i-hung"),))
    asked = a_request(RequestVerb.CONFIRM_FENCED, instance=InstanceId("i-hung"))
    decision = decided(a_slot(EC1, record=owed, requests=(asked,)))
    assert decision.answer is Answer.PROVE


@pytest.mark.parametrize("verb", RequestVerb)
def test_every_operators_word_is_consumed_by_the_decision_that_answers_it(verb: RequestVerb) -> None:
    observed = a_slot(EC1, requests=(a_request(verb, EC1, instance=holder_of(EC1)),))
    change = decided(observed).change
    assert change is not None
    assert change.consumes == "r1"


@pytest.mark.parametrize("verb", RequestVerb)
@pytest.mark.parametrize("state", operator_edges.STATES)
@pytest.mark.parametrize("slot", [PLATFORM, EC1])
def test_every_operators_command_is_answered_as_listed(slot: str, state: str, verb: RequestVerb) -> None:
    edges = operator_edges.listed(RULES_PAGE.read_text(encoding="utf-8"))
    assert operator_edges.edge(state, verb, slot) == edges[state, verb], "a changed edge: make docs"


def test_the_listed_commands_are_of_every_state_and_verb() -> None:
    edges = operator_edges.listed(RULES_PAGE.read_text(encoding="utf-8"))
    assert set(edges) == {(state, verb.value) for state in operator_edges.STATES for verb in RequestVerb}
    assert set(operator_edges.STATES) == {"active", "vacant", *(one for one in Step if one not in ENDED)}


def test_a_bad_replacement_is_fenced_before_the_next_is_granted() -> None:
    seen = at_step(Step.VERIFYING)
    late = at(seen, 9000)
    op = operation_after(decide_slot(late, EC1, POLICY))
    assert (op.step, op.victim) == (Step.FENCING, NEW)
