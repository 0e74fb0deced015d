"""Ordered tables of numbered rules; the first that matches decides (design.md 2.3)."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.decision import Answer, Change, Decision, Rule
from picoha.domain.model import ScalingGroup, SlotName
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import HoldNotice
from picoha.domain.rules import custody, detection, fencing, granting, guards, launches, requests, verifying
from picoha.domain.rules.launches import LAUNCH_RULES, Launch
from picoha.domain.rules.steps import notice
from picoha.domain.situation import Situation

SLOT_RULES: tuple[Rule, ...] = (
    *guards.RULES,
    *requests.RULES,
    *fencing.RULES,
    *granting.RULES,
    *verifying.RULES,
    *detection.RULES,
    *custody.RULES,
    *custody.UPKEEP,
)
"""Guards, then operators' requests, the open operation, then detection, then custody and upkeep."""


def decide_slot(seen: Observation, slot: SlotName, policy: Policy) -> Decision:
    """Return the decision of the first matching rule for one slot; rules never raise."""
    situation = Situation(seen, seen.slot(slot), policy)
    rule = next(row for row in SLOT_RULES if row.when(situation))
    decision = _with_rule(rule.then(situation).stamped(rule.number))
    return _with_outbox(_with_attention(situation, decision))


def decide_launches(seen: Observation, slot: SlotName, policy: Policy) -> tuple[Decision, ...]:
    """Return one decision for every launch of the slot that waits in a launch hook.

    Nothing is decided while the slot's record is unreadable or from a newer version (S15).
    """
    situation = Situation(seen, seen.slot(slot), policy)
    is_readable = (
        seen.memory is None and not situation.observed.newer and situation.observed.record is not None
    )
    if not is_readable or not isinstance(situation.observed.group, ScalingGroup):
        return ()
    held = (one for one in situation.observed.group.members if one.is_held or one.is_warming)
    return tuple(_decide_launch(Launch(situation, member)) for member in held)


def _decide_launch(launch: Launch) -> Decision:
    rule = next(row for row in launches.LAUNCH_RULES if row.when(launch))
    return rule.then(launch).stamped(rule.number)


def _with_attention(situation: Situation, decision: Decision) -> Decision:
    """Save when the holding rule changed, and page once the slot was held for long (design.md 6).

    Another rule that holds goes on with the first one's time; a slot without a record gets one.
    """
    if situation.seen.memory is not None or situation.observed.newer:
        return decision
    old = situation.record.attention
    if decision.answer not in (Answer.HOLD, Answer.ALERT):
        if old is None or decision.answer is Answer.WAIT:
            return decision
        return _saving(situation, decision, None)
    now = situation.now
    if old is None:
        return _saving(situation, decision, HoldNotice(rule=decision.rule, since=now), event="held")
    is_same = old.rule == decision.rule
    delay = situation.policy.hold_page_after if decision.answer is Answer.HOLD else None
    is_due = delay is None or now - old.since >= delay
    rest = situation.policy.page_repeat_after if is_same else situation.policy.hold_page_after
    is_quiet = old.notified_at is None or now - old.notified_at >= rest
    if not (is_due and is_quiet):
        turned = replace(old, rule=decision.rule)
        return decision if is_same else _saving(situation, decision, turned, event="held")
    paged = _saving(situation, decision, replace(old, rule=decision.rule, notified_at=now), event="paged")
    page = notice(
        situation,
        situation.operation,
        "page",
        f"{decision.sentence}. Look: picoha why {situation.observed.name}",
    )
    return replace(paged, change=replace(paged.change, notice=page)) if paged.change else paged


def _with_rule(decision: Decision) -> Decision:
    """Let an operation that is admitted now remember the rule that admitted it."""
    change = decision.change
    op = change.record.operation if change else None
    if decision.answer is not Answer.BEGIN or change is None or op is None:
        return decision
    record = replace(change.record, operation=replace(op, rule=decision.rule))
    return replace(decision, change=replace(change, record=record))


def _with_outbox(decision: Decision) -> Decision:
    """Put the decision's message into the record's outbox, so that it is published at least once."""
    change = decision.change
    if change is None or change.notice is None:
        return decision
    op = change.ended or change.record.operation
    told = replace(
        change.notice,
        slot=change.record.slot,
        event=change.event,
        operation=op.id if op else "",
        rule=decision.rule,
    )
    record = replace(change.record, outbox=(*change.record.outbox, told))
    return replace(decision, change=replace(change, record=record))


def _saving(
    situation: Situation, decision: Decision, attention: HoldNotice | None, event: str = ""
) -> Decision:
    change = decision.change or Change(record=situation.record)
    record = replace(change.record, attention=attention)
    return replace(decision, change=replace(change, record=record, event=change.event or event))


__all__ = ["LAUNCH_RULES", "SLOT_RULES", "decide_launches", "decide_slot"]
