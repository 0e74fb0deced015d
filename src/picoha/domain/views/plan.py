"""What would happen if an operator asked: the loop's own answer, the steps and their deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median

from picoha.domain.decision import Answer, Decision
from picoha.domain.judging import gates
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import Request, RequestVerb
from picoha.domain.rules.requests import RULES
from picoha.domain.rules.table import decide_slot
from picoha.domain.situation import Situation

FIRST_REQUEST_RULE = RULES[0].number


GUARDS = 5
"""More upkeep than the guards have to do before a request is come to."""


def preview(seen: Observation, request: Request, policy: Policy) -> Decision:
    """Return what the loop would decide if this request were waiting, by the loop's own tables.

    What the guards write before that (evidence, the gate after a change of mode) counts as written.
    """
    observed = replace(seen.slot(request.slot), requests=(request,))
    for _ in range(GUARDS):
        slots = tuple(observed if slot.name == request.slot else slot for slot in seen.slots)
        decision = decide_slot(replace(seen, slots=slots), request.slot, policy)
        if decision.rule >= FIRST_REQUEST_RULE or decision.change is None or refusal(decision):
            break
        observed = replace(observed, record=decision.change.record)
    return decision


def refusal(decision: Decision) -> str:
    """Return why a previewed request must not be written, or "".

    A guard that holds would let the request wait until it is too old.
    """
    is_held = decision.rule < FIRST_REQUEST_RULE and decision.answer in (Answer.HOLD, Answer.ALERT)
    is_refused = decision.answer is Answer.REFUSE
    return decision.sentence if is_held or is_refused else ""


@dataclass(frozen=True)
class StepLine:
    """One step of a planned operation and its deadline (seconds)."""

    what: str
    within_s: int


@dataclass(frozen=True)
class Plan:
    """What would happen; `refused` is empty when the request would be carried out.

    `automatic` are the gates that picoha itself would wait for without an operator's order.
    """

    refused: str
    begins: bool
    sentence: str
    automatic: tuple[str, ...]
    steps: tuple[StepLine, ...]
    expected: str


def plan(seen: Observation, request: Request, policy: Policy, past_s: Sequence[float]) -> Plan:
    """Return the plan of a switchover or forced failover; `past_s` are earlier durations of the slot."""
    situation = Situation(seen, seen.slot(request.slot), policy)
    decision = preview(seen, request, policy)
    closed = [gate for check in gates.TAKING if not (gate := check(situation)).is_open]
    return Plan(
        refused=refusal(decision),
        begins=decision.answer is Answer.BEGIN,
        sentence=decision.sentence,
        automatic=tuple(f"{gate.name}: {gate.sentence}" for gate in closed),
        steps=tuple(_steps(situation, request)),
        expected=_expected(past_s),
    )


def _expected(past_s: Sequence[float]) -> str:
    if not past_s:
        return "not known yet: the slot has no ended operation in the records"
    return f"about {median(past_s):.0f} s (median of {len(past_s)} ended operations of this slot)"


def _steps(situation: Situation, request: Request) -> list[StepLine]:
    policy, record, group = situation.policy, situation.record, situation.group
    spec, address = situation.observed.spec, situation.address
    is_warm = group is not None and any(member.lifecycle.startswith("Warmed:") for member in group.members)
    standby = "the warm host" if is_warm else "a new host"
    picos = [pico.name for pico in spec.picos] if spec else []
    steps = []
    if request.verb is RequestVerb.SWITCHOVER:
        steps.append(_step(f"{record.holder} stops its picos (drain)", policy.drain_deadline))
    steps += [
        _step(f"{record.holder} is terminated and seen terminated (fence)", policy.fence_deadline),
        _step(f"{standby} is launched and held in its launch hook", policy.host_deadline),
    ]
    if address:
        steps.append(_step(f"{address.public_ip} is associated with it", policy.address_deadline))
    starting = policy.start_per_pico * max(1, len(picos)) + policy.start_margin
    steps += [
        _step("its launch is released and seen in service", policy.release_deadline),
        _step(
            f"epoch {record.epoch + 1} is granted; names verified, {', '.join(picos)} started and healthy "
            f"for {policy.healthy_for.total_seconds():.0f} s",
            starting,
        ),
    ]
    return steps


def _step(what: str, within: timedelta) -> StepLine:
    return StepLine(what, int(within.total_seconds()))
