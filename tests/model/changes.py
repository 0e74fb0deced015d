"""What the code does instead where a guard was taken out (guards.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from model.mutants import Patch, row
from picoha.domain.actions import FenceHost
from picoha.domain.decision import Answer, Change, Decision
from picoha.domain.judging import gates, signals
from picoha.domain.judging.gate import Gate
from picoha.domain.judging.signals import Verdict
from picoha.domain.model import GOING_OR_GONE, Evidence, EvidenceKind, InstanceId, InstanceState, Unknown
from picoha.domain.record import Step
from picoha.domain.rules import granting, launches, requests, steps
from picoha.domain.rules.granting import address_is_settled
from picoha.domain.rules.launches import Launch
from picoha.domain.rules.steps import in_step, opened, send, to_step
from picoha.domain.situation import Situation

# Evidence.


def proof_when_shutting_down(situation: Situation, instance: InstanceId) -> Evidence | None:
    host = situation.host(instance)
    if host is None or host.state not in GOING_OR_GONE:
        return None
    return Evidence(instance, situation.observed.name, EvidenceKind.POWER, situation.now, "EC2 says so")


def proof_when_not_shown(situation: Situation, instance: InstanceId) -> Evidence | None:
    host = situation.host(instance)
    if host is not None and not host.is_terminated:
        return None
    return Evidence(
        instance, situation.observed.name, EvidenceKind.POWER, situation.now, "EC2 does not show it"
    )


def fenced_because_late(situation: Situation) -> Decision:
    return _forgotten(
        to_step(situation, Step.AWAITING_HOST, "fenced", "it had time enough"), opened(situation).victim
    )


def _forgotten(decision: Decision, victim: InstanceId | None) -> Decision:
    change = decision.change
    if change is None:
        return decision
    left = tuple(instance for instance in change.record.unfenced if instance != victim)
    return replace(decision, change=replace(change, record=replace(change.record, unfenced=left)))


def is_going(situation: Situation) -> bool:
    return in_step(situation, Step.FENCING) and situation.is_gone(opened(situation).victim)


def is_fencing(situation: Situation) -> bool:
    return in_step(situation, Step.FENCING)


# The grant.


def grant_in_any_case(situation: Situation) -> Decision:
    trusting = replace(situation.observed, record=replace(situation.record, unfenced=()))
    return granting.grant(Situation(situation.seen, trusting, situation.policy))


def grant_again(situation: Situation) -> Decision:
    decision = granting.grant(situation)
    change = decision.change
    if change is None:
        return decision
    return replace(
        decision, change=replace(change, record=replace(change.record, epoch=situation.record.epoch))
    )


def is_held_or_in_service(situation: Situation) -> bool:
    member = situation.member(opened(situation).target) if in_step(situation, Step.RELEASING) else None
    return member is not None and (member.is_held or member.is_in_service)


def has_no_address_or_settled(situation: Situation) -> bool:
    is_none = in_step(situation, Step.ADDRESSING) and situation.address is None
    return is_none or address_is_settled(situation)


def next_host(situation: Situation, instance: InstanceId, sentence: str) -> Decision:
    op = opened(situation)
    if op.attempt >= situation.policy.bad_replacements:
        return steps.stuck(situation, sentence, "retry")
    victims = (*op.victims, instance)
    return to_step(
        situation, Step.AWAITING_HOST, "bad", sentence, victims=victims, target=None, attempt=op.attempt + 1
    )


# Signals.


def judged_without_unknowns(situation: Situation, judge: Any = signals.judge) -> Verdict:
    metric = None if isinstance(situation.observed.metric, Unknown) else situation.observed.metric
    verdict: Verdict = judge(
        Situation(situation.seen, replace(situation.observed, metric=metric), situation.policy)
    )
    return verdict


def silent_without_status(situation: Situation, host: Any, silent: Any = signals._silent) -> Verdict:
    sound = replace(host, is_impaired=False) if host is not None else None
    verdict: Verdict = silent(situation, sound)
    return verdict


# Orders.


def fence_everybody(situation: Situation) -> Decision:
    return send(situation, "all are fenced", [FenceHost(host.instance) for host in situation.living])


def failover_without_fence(situation: Situation) -> Decision:
    decision = requests.failover(situation)
    change = decision.change
    op = change.record.operation if change else None
    if change is None or op is None or decision.answer is not Answer.BEGIN:
        return decision
    hasty = replace(change.record, operation=replace(op, step=Step.AWAITING_HOST))
    return replace(decision, change=replace(change, record=hasty))


def adopt_in_any_case(situation: Situation) -> Decision:
    trusting = replace(situation.observed, record=replace(situation.record, unfenced=()))
    return requests.adopt(Situation(situation.seen, trusting, situation.policy))


def ten_minutes_while_running(situation: Situation, instance: InstanceId | None) -> timedelta:
    host = situation.host(instance)
    is_running = host is not None and host.state is InstanceState.RUNNING
    return situation.policy.confirm_silence if is_running else timedelta(0)


def unpinned(number: int, then: Any) -> Patch:
    def decide(situation: Situation) -> Decision:
        decision: Decision = then(situation)
        change: Change | None = decision.change
        return replace(decision, change=replace(change, pins_mode=False)) if change else decision

    return row(number, then=decide)


def gate_off(*names: str) -> Patch:
    """Take gates out of the lists of taking and of giving."""

    def patch(monkey: pytest.MonkeyPatch) -> None:
        for listed in ("TAKING", "GIVING"):
            kept = tuple(check for check in getattr(gates, listed) if check.__name__ not in names)
            monkey.setattr(gates, listed, kept)

    return patch


def is_unowned(launch: Launch) -> bool:
    record = launch.situation.record
    return record.operation is None and record.holder != launch.member.instance and launch.situation.is_armed


def release_now(launch: Launch) -> Decision:
    return launches._release(launch, "released at once")


def mode_is_open(situation: Situation) -> Gate:
    return Gate("mode", True, "whatever")
