"""One pass of the loop: observe, decide, check, remember, act, tell (design.md 2)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from picoha.app.act import Result, act
from picoha.app.errors import ActionFailed, InvariantBroken, LostRace, MemoryUnreadable
from picoha.app.observe import observe
from picoha.app.ports import Ports
from picoha.app.snapshot import pack
from picoha.domain.decision import Answer, Change, Decision
from picoha.domain.judging.invariants import broken
from picoha.domain.ledger import JournalRow
from picoha.domain.model import SlotName
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import HistoryRow, Operation
from picoha.domain.rules.table import decide_launches, decide_slot
from picoha.domain.situation import Situation

LOG = logging.getLogger("picoha")

UNREADABLE = 101
"""The rule that holds while the table cannot be read."""
WHOLE_CELL = SlotName("*")
"""Stands for all slots, as in the pauses of the mode."""


@dataclass(frozen=True)
class Line:
    """What one pass decided for one slot or launch, and how it ended."""

    slot: SlotName
    decision: Decision
    outcome: str
    results: tuple[Result, ...] = ()


def reconcile(ports: Ports, policy: Policy) -> tuple[Line, ...]:
    """Run one pass over every slot of the cell, the Platform first; return what was decided."""
    seen = observe(ports, policy.fresh_within)
    lines = _of_the_cell(seen)
    for observed in _in_order(seen, policy):
        line = _enact(ports, seen, observed.name, decide_slot(seen, observed.name, policy))
        lines.append(line)
        if line.outcome not in ("saved", "lost race", "unsure"):
            lines.extend(_launches(ports, seen, observed.name, policy))
            _flush(ports, seen, observed, lines)
    return tuple(lines)


def _of_the_cell(seen: Observation) -> list[Line]:
    """Say it for the cell where no slot is known: no decision of one would say why nothing happens."""
    if seen.memory is None or seen.slots:
        return []
    reason = f"neither the table nor the groups could be read: {seen.memory.reason}"
    return [_told(Line(WHOLE_CELL, Decision(Answer.HOLD, reason, rule=UNREADABLE), "hold"))]


def _in_order(seen: Observation, policy: Policy) -> list[SlotObservation]:
    return sorted(seen.slots, key=lambda one: (not Situation(seen, one, policy).is_platform, one.name))


def _launches(ports: Ports, seen: Observation, slot: SlotName, policy: Policy) -> list[Line]:
    """Enact launch decisions until one is saved: the next would meet its new version."""
    lines: list[Line] = []
    for decision in decide_launches(seen, slot, policy):
        lines.append(_enact(ports, seen, slot, decision))
        if lines[-1].decision.change is not None:
            break
    return lines


def _enact(ports: Ports, seen: Observation, slot: SlotName, decision: Decision) -> Line:
    problem = broken(seen, slot, decision)
    if problem:
        raise InvariantBroken(f"slot {slot}, rule {decision.rule}: {problem}")
    change = decision.change
    if change is None:
        return _told(Line(slot, decision, decision.answer.value))
    journal = _intents(seen, decision)
    outcome = _remember(ports, seen, slot, decision, change, journal)
    if outcome != "saved":
        return _told(Line(slot, decision, outcome))
    results = act(decision.actions, ports.actuators)
    _note(ports, journal, results)
    return _told(Line(slot, decision, "saved", results))


def _remember(
    ports: Ports,
    seen: Observation,
    slot: SlotName,
    decision: Decision,
    change: Change,
    journal: Sequence[JournalRow],
) -> str:
    operation = change.ended or change.record.operation
    row = HistoryRow(
        at=seen.now,
        slot=slot,
        ver=change.record.ver + 1,
        rule=decision.rule,
        event=change.event,
        sentence=decision.sentence,
        mode=seen.mode.mode,
        operation=operation.id if operation else "",
        verb=operation.verb.value if operation else "",
        evidence=_evidence(change, operation),
        snapshot=pack(seen) if decision.answer in (Answer.BEGIN, Answer.REFUSE) else "",
        request=change.consumes or "",
    )
    try:
        ports.memory.commit(change, seen.mode, row if change.event else None, journal)
    except LostRace:
        return "lost race"
    except MemoryUnreadable as problem:
        LOG.warning("saving a decision: %s", problem)
        return "unsure"
    return "saved"


def _evidence(change: Change, operation: Operation | None) -> str:
    if change.evidence:
        return "; ".join(f"{proof.instance} {proof.kind}: {proof.detail}" for proof in change.evidence)
    return operation.reason if operation and change.event == "admitted" else change.because


def _intents(seen: Observation, decision: Decision) -> tuple[JournalRow, ...]:
    operation = decision.change.record.operation if decision.change else None
    if operation is None:
        return ()
    rows = ((action, operation.intents.get(str(action))) for action in decision.actions)
    return tuple(
        JournalRow(operation.id, intent.number, intent.sends, str(action), seen.now)
        for action, intent in rows
        if intent is not None
    )


def _note(ports: Ports, journal: Sequence[JournalRow], results: Sequence[Result]) -> None:
    outcomes = {str(result.action): result for result in results}
    for row in journal:
        result = outcomes[row.action]
        try:
            ports.memory.note(
                replace(row, at=ports.clock.now(), outcome=result.outcome, request_id=result.request_id)
            )
        except MemoryUnreadable as problem:
            LOG.warning("noting a result: %s", problem)


def _flush(ports: Ports, seen: Observation, observed: SlotObservation, lines: list[Line]) -> None:
    """Publish the outbox, then empty it; a crash in between publishes twice, never not at all."""
    record = observed.record
    if (
        record is None
        or not record.outbox
        or any(line.slot == observed.name and line.outcome == "saved" for line in lines)
    ):
        return
    try:
        for notice in record.outbox:
            ports.notifier.publish(notice)
        ports.memory.commit(Change(record=replace(record, outbox=())), seen.mode, None)
    except (ActionFailed, LostRace, MemoryUnreadable) as problem:
        kept = {"unpublished": len(record.outbox)}
        LOG.warning("publishing the outbox of %s: %s", observed.name, problem, extra=kept)
        return
    told = Decision(Answer.UPKEEP, f"{len(record.outbox)} messages published")
    lines.append(Line(observed.name, told, "saved"))


def _told(line: Line) -> Line:
    level = logging.DEBUG if line.decision.answer is Answer.STEADY else logging.INFO
    fields = {
        "slot": line.slot,
        "rule": line.decision.rule,
        "answer": line.decision.answer.value,
        "outcome": line.outcome,
        "results": [f"{result.action}: {result.outcome}" for result in line.results],
    }
    LOG.log(level, "%s", line.decision.sentence, extra=fields)
    return line
