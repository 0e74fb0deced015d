"""How an operation moves: begin, step, send an effect, get stuck, end.

The golden rule (design.md 2.2): a step is left only because its effect was *observed*; an effect
is ordered by a saved intent and sent again, at most every `resend_after`, until it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from picoha.domain.actions import TAKING, Action
from picoha.domain.decision import SOON_S, Answer, Change, Decision, wait
from picoha.domain.model import InstanceId
from picoha.domain.record import (
    CONTROLLER,
    Brake,
    Intent,
    Notice,
    Operation,
    Order,
    OrderVerb,
    Phase,
    Request,
    SlotRecord,
    Step,
    Verb,
)
from picoha.domain.rules.messages import NEXT, of_operation
from picoha.domain.situation import Situation


def opened(situation: Situation) -> Operation:
    """Return the open operation; rules call this only where their table guarantees one."""
    op = situation.operation
    if op is None:
        raise LookupError(f"slot {situation.observed.name} has no open operation")
    return op


def begin(
    situation: Situation, verb: Verb, step: Step, reason: str, request: Request | None = None
) -> Decision:
    """Admit an operation: the point of no return, one transaction pinned to mode and brake.

    An automatic failover that takes counts for the brake; operator-ordered work counts for nothing.
    """
    record = situation.record
    number = record.operations + 1
    op = Operation(
        id=f"{record.slot}-{record.epoch}-{number}",
        verb=verb,
        step=step,
        opened_at=situation.now,
        step_at=situation.now,
        rule=0,
        reason=reason,
        from_epoch=record.epoch,
        victim=record.holder,
        victims=(record.holder,) if record.holder else (),
        by=request.by if request else CONTROLLER,
        zone=host.zone if (host := situation.host(record.holder)) else "",
        trail={"admitted": situation.now, step.value: situation.now},
    )
    order = _drain_order(situation, record.holder) if step is Step.DRAINING and record.holder else None
    admitted = replace(
        record, phase=Phase.IN_FAILOVER, operation=op, operations=number, order=order, would_have=""
    )
    change = Change(
        record=admitted,
        brake=_counted(situation) if step is Step.FENCING and request is None else None,
        pins_mode=True,
        event="admitted",
        consumes=request.id if request else None,
        notice=notice(situation, op, "info", of_operation(op, f"{verb} {op.id} is admitted", situation.now)),
    )
    sentence = f"{verb} of {record.slot} is admitted: {reason}"
    return Decision(Answer.BEGIN, sentence, change=change, look_again_s=0.0)


def _drain_order(situation: Situation, holder: InstanceId) -> Order:
    record = situation.record
    return Order(f"{record.slot}-{record.ver + 1}", OrderVerb.DRAIN, holder, record.epoch, situation.now)


def _counted(situation: Situation) -> Brake:
    brake = situation.seen.brake
    day = timedelta(hours=24)
    keep = max(day, situation.policy.brake_slot_window)
    recent = {
        slot: kept
        for slot, times in brake.admitted.items()
        if (kept := tuple(at for at in times if situation.now - at < keep))
    }
    recent[situation.observed.name] = (*recent.get(situation.observed.name, ()), situation.now)
    return replace(brake, admitted=recent)


def to_step(situation: Situation, step: Step, event: str, sentence: str, **fields: object) -> Decision:
    """Advance the open operation because an effect was seen; `fields` change the operation too."""
    return stepped(situation, sentence, moved(situation, step, event, **fields))


def moved(situation: Situation, step: Step, event: str, **fields: object) -> Change:
    """Return the change that puts the open operation into a step, for those that change more with it."""
    op = opened(situation)
    trail = {**op.trail, step.value: situation.now}
    there = replace(op, step=step, step_at=situation.now, stuck_in=None, intents={}, trail=trail, **fields)  # type: ignore[arg-type]  # field names are checked by the callers' tests
    return Change(record=replace(situation.record, operation=there), event=event)


def stepped(situation: Situation, sentence: str, change: Change) -> Decision:
    """Return the decision to write such a change and look at once; people are told the longer steps."""
    op = change.record.operation
    if op is not None and op.step in NEXT:
        told = notice(situation, op, "info", of_operation(op, sentence, situation.now))
        change = replace(change, notice=told)
    return Decision(Answer.STEP, sentence, change=change, look_again_s=0.0)


def milestone(situation: Situation, event: str, sentence: str) -> Decision:
    """Note in the trail that something was seen for the first time; the step stays."""
    op = opened(situation)
    noted = replace(op, trail={**op.trail, event: situation.now})
    change = Change(record=replace(situation.record, operation=noted), event=event)
    return Decision(Answer.STEP, sentence, change=change, look_again_s=0.0)


def has_passed(situation: Situation, event: str) -> bool:
    """True once the open operation's trail names the event since its last grant."""
    op = opened(situation)
    at, since = op.trail.get(event), op.trail.get(Step.VERIFYING)
    return at is not None and since is not None and at >= since


def send(situation: Situation, sentence: str, actions: Iterable[Action]) -> Decision:
    """Order those effects that are due under their intents; wait for the others to be seen."""
    op = opened(situation)
    due = tuple(action for action in actions if _is_due(situation, op, action))
    if not due:
        return wait(sentence)
    intents, number = dict(op.intents), op.journal
    for action in due:
        key = str(action)
        old = intents.get(key)
        if old is None:
            number += 1
            intents[key] = Intent(number=number, first_at=situation.now, sent_at=situation.now)
        else:
            intents[key] = replace(old, sent_at=situation.now, sends=old.sends + 1)
    change = Change(
        record=replace(situation.record, operation=replace(op, intents=intents, journal=number)),
        pins_mode=any(isinstance(action, TAKING) for action in due),
    )
    return Decision(Answer.SEND, sentence, actions=due, change=change, look_again_s=SOON_S)


def send_once(situation: Situation, sentence: str, action: Action, event: str = "") -> Decision:
    """Order one effect outside any operation, at most every `resend_after`, until it is seen."""
    key, sent = str(action), situation.record.sent
    if key in sent and situation.now - sent[key] < situation.policy.resend_after:
        return wait(sentence)
    kept = {one: at for one, at in sent.items() if situation.now - at < situation.policy.hook_heartbeat}
    record = replace(situation.record, sent={**kept, key: situation.now})
    is_first = key not in sent
    change = Change(record=record, pins_mode=isinstance(action, TAKING), event=event if is_first else "")
    return Decision(Answer.SEND, sentence, actions=(action,), change=change, look_again_s=SOON_S)


def _is_due(situation: Situation, op: Operation, action: Action) -> bool:
    intent = op.intents.get(str(action))
    return intent is None or situation.now - intent.sent_at >= situation.policy.resend_after


def stuck(situation: Situation, sentence: str, command: str) -> Decision:
    """Wait for a human from here on, keep looking for the missing fact, and page now."""
    op = opened(situation)
    parked = replace(op, step=Step.NEEDS_OPERATOR, stuck_in=op.stuck_in or op.step, step_at=situation.now)
    page = notice(situation, op, "page", f"{sentence}. Do: {command}")
    change = Change(record=replace(situation.record, operation=parked), event="needs-operator", notice=page)
    return Decision(Answer.STEP, sentence, change=change)


def next_victim(situation: Situation, instance: InstanceId, sentence: str) -> Decision:
    """A bad replacement becomes the victim and is fenced before anyone else is granted (S2)."""
    op = opened(situation)
    if op.attempt >= situation.policy.bad_replacements:
        return stuck(
            situation, f"{sentence}; {op.attempt + 1} replacements were bad", f"picoha retry {op.id}"
        )
    if not situation.may_take and not situation.is_gone(instance):
        return stuck(
            situation, f"{sentence}, and it may not be fenced: mode is not enforce", f"picoha retry {op.id}"
        )
    change = moved(
        situation,
        Step.FENCING,
        "bad-replacement",
        victim=instance,
        victims=(*op.victims, instance) if instance not in op.victims else op.victims,
        target=None,
        attempt=op.attempt + 1,
    )
    record = change.record
    unfenced = record.unfenced if instance in record.unfenced else (*record.unfenced, instance)
    record = replace(record, unfenced=unfenced, phase=Phase.IN_FAILOVER)
    told = f"{sentence}; it is the next victim (attempt {op.attempt + 1})"
    return stepped(situation, told, replace(change, record=record))


def finish(situation: Situation, sentence: str) -> Decision:
    """End the open operation: the target is the verified, active holder."""
    op = opened(situation)
    done = replace(op, step=Step.DONE, step_at=situation.now, trail={**op.trail, "done": situation.now})
    is_counted = op.is_automatic and not op.is_recovery
    record: SlotRecord = replace(
        situation.record,
        phase=Phase.ACTIVE,
        operation=None,
        active_since=situation.now,
        ended_at=situation.now if is_counted else situation.record.ended_at,
        ended_zone=op.zone if is_counted else situation.record.ended_zone,
    )
    took = (situation.now - op.opened_at).total_seconds()
    told = notice(
        situation, op, "info", of_operation(done, f"{sentence}; it took {took:.0f} s", situation.now)
    )
    change = Change(record=record, ended=done, event="done", notice=told)
    return Decision(Answer.FINISH, f"{sentence}; {op.verb} done in {took:.0f} s", change=change)


def notice(situation: Situation, op: Operation | None, severity: str, text: str) -> Notice:
    """Return a message for the outbox; its id is unique per slot and version."""
    mode = situation.seen.mode.mode.value.upper()
    where = f"{situation.seen.cell}/{situation.observed.name}"
    return Notice(
        id=f"{situation.observed.name}-{situation.record.ver + 1}",
        at=situation.now,
        severity=severity,
        subject=f"{mode} {severity}: {where} {op.id if op else ''}".strip(),
        text=f"{mode} {where}: {text}",
    )


def in_step(situation: Situation, *steps: Step) -> bool:
    """True while the slot's operation is in one of these steps."""
    op = situation.operation
    return op is not None and op.step in steps


def is_late(situation: Situation, step: Step) -> bool:
    """True once the operation has been in this step for longer than its deadline."""
    deadlines = {
        Step.DRAINING: situation.policy.drain_deadline,
        Step.FENCING: situation.policy.fence_deadline,
        Step.AWAITING_HOST: situation.policy.host_deadline,
        Step.ADDRESSING: situation.policy.address_deadline,
        Step.RELEASING: situation.policy.release_deadline,
    }
    return in_step(situation, step) and situation.in_step_for(opened(situation)) > deadlines[step]
