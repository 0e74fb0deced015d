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
from picoha.domain.situation import Case

# Evidence.


def proof_when_shutting_down(case: Case, instance: InstanceId) -> Evidence | None:
    host = case.host(instance)
    if host is None or host.state not in GOING_OR_GONE:
        return None
    return Evidence(instance, case.sight.name, EvidenceKind.POWER, case.now, "EC2 says so")


def proof_when_not_shown(case: Case, instance: InstanceId) -> Evidence | None:
    host = case.host(instance)
    if host is not None and not host.is_terminated:
        return None
    return Evidence(instance, case.sight.name, EvidenceKind.POWER, case.now, "EC2 does not show it")


def fenced_because_late(case: Case) -> Decision:
    return _forgotten(to_step(case, Step.AWAITING_HOST, "fenced", "it had time enough"), opened(case).victim)


def _forgotten(decision: Decision, victim: InstanceId | None) -> Decision:
    change = decision.change
    if change is None:
        return decision
    left = tuple(one for one in change.record.unfenced if one != victim)
    return replace(decision, change=replace(change, record=replace(change.record, unfenced=left)))


def is_going(case: Case) -> bool:
    return in_step(case, Step.FENCING) and case.is_gone(opened(case).victim)


def is_fencing(case: Case) -> bool:
    return in_step(case, Step.FENCING)


# The grant.


def grant_in_any_case(case: Case) -> Decision:
    trusting = replace(case.sight, record=replace(case.record, unfenced=()))
    return granting.grant(Case(case.seen, trusting, case.policy))


def grant_again(case: Case) -> Decision:
    decision = granting.grant(case)
    change = decision.change
    if change is None:
        return decision
    return replace(decision, change=replace(change, record=replace(change.record, epoch=case.record.epoch)))


def is_held_or_in_service(case: Case) -> bool:
    member = case.member(opened(case).target) if in_step(case, Step.RELEASING) else None
    return member is not None and (member.is_held or member.is_in_service)


def has_no_address_or_settled(case: Case) -> bool:
    is_none = in_step(case, Step.ADDRESSING) and case.address is None
    return is_none or address_is_settled(case)


def next_host(case: Case, instance: InstanceId, sentence: str) -> Decision:
    op = opened(case)
    if op.attempt >= case.policy.bad_replacements:
        return steps.stuck(case, sentence, "retry")
    victims = (*op.victims, instance)
    return to_step(
        case, Step.AWAITING_HOST, "bad", sentence, victims=victims, target=None, attempt=op.attempt + 1
    )


# Signals.


def judged_without_unknowns(case: Case, judge: Any = signals.judge) -> Verdict:
    metric = None if isinstance(case.sight.metric, Unknown) else case.sight.metric
    verdict: Verdict = judge(Case(case.seen, replace(case.sight, metric=metric), case.policy))
    return verdict


def silent_without_status(case: Case, host: Any, silent: Any = signals._silent) -> Verdict:
    sound = replace(host, is_impaired=False) if host is not None else None
    verdict: Verdict = silent(case, sound)
    return verdict


# Orders.


def fence_everybody(case: Case) -> Decision:
    return send(case, "all are fenced", [FenceHost(one.instance) for one in case.living])


def failover_without_fence(case: Case) -> Decision:
    decision = requests.failover(case)
    change = decision.change
    op = change.record.operation if change else None
    if change is None or op is None or decision.answer is not Answer.BEGIN:
        return decision
    hasty = replace(change.record, operation=replace(op, step=Step.AWAITING_HOST))
    return replace(decision, change=replace(change, record=hasty))


def adopt_in_any_case(case: Case) -> Decision:
    trusting = replace(case.sight, record=replace(case.record, unfenced=()))
    return requests.adopt(Case(case.seen, trusting, case.policy))


def ten_minutes_while_running(case: Case, instance: InstanceId | None) -> timedelta:
    host = case.host(instance)
    is_running = host is not None and host.state is InstanceState.RUNNING
    return case.policy.confirm_silence if is_running else timedelta(0)


def unpinned(number: int, then: Any) -> Patch:
    def decide(case: Case) -> Decision:
        decision: Decision = then(case)
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
    record = launch.case.record
    return record.operation is None and record.holder != launch.member.instance and launch.case.is_armed


def release_now(launch: Launch) -> Decision:
    return launches._release(launch, "released at once")


def mode_is_open(case: Case) -> Gate:
    return Gate("mode", True, "whatever")
