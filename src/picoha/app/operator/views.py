"""What an operator can look at: the cell, one slot, the history, an operation, a plan, a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from picoha.app.audit.promises import NOT_CHECKED
from picoha.app.audit.promises import verify as broken_promises
from picoha.app.errors import SensorFailed
from picoha.app.operator.answer import FINE, REFUSED, Asked, Refusal, Reply, requested
from picoha.domain.codec import encode
from picoha.domain.decision import Answer
from picoha.domain.doctor.findings import errors, exit_code
from picoha.domain.judging import signals
from picoha.domain.model import Sample, SlotName
from picoha.domain.record import HistoryRow, Operation, RequestVerb, Verb
from picoha.domain.rules.table import decide_slot
from picoha.domain.situation import Situation, is_active
from picoha.domain.views import explain
from picoha.domain.views.plan import plan as planned
from picoha.domain.views.report import PeriodReport
from picoha.domain.views.report import report as reported

HISTORY_SPAN = timedelta(days=7)
PAST_SPAN = timedelta(days=90)
ENDS_AN_OUTAGE = frozenset({Verb.FAILOVER.value, Verb.SWITCHOVER.value})
LEFT_ALONE = frozenset({113, 115})
"""Rules of slots that are parked or retired on purpose."""


def status(asked: Asked) -> Reply:
    """Every slot on one line, the pauses and the brake; not fine when a slot is not well."""
    seen = asked.seen
    slots = [_slot_line(Situation(seen, slot, asked.policy)) for slot in seen.slots]
    unwell = [slot["slot"] for slot in slots if not slot["is_well"]]
    kept = {
        name: one
        for name, one in seen.mode.pauses.items()
        if seen.now < one.until + asked.policy.pause_observe
    }
    data = {
        "mode": seen.mode.mode.value,
        "since": encode(seen.mode.since),
        "now": encode(seen.now),
        "pauses": encode(kept),
        "breaker": seen.brake.opened_because if seen.brake.is_open else "",
        "storm_released_until": encode(seen.brake.storm_released_until),
        "slots": slots,
    }
    if not slots:
        told = "no Auto Scaling group carries this cell's tags, and nothing is on record"
        return Reply(REFUSED, told, data=data)
    told = f"not well: {', '.join(unwell)}" if unwell else f"all {len(slots)} slots are well"
    told += "; the breaker is open: nothing fails over by itself" if seen.brake.is_open else ""
    return Reply(REFUSED if unwell or seen.brake.is_open else FINE, told, data=data)


def _slot_line(situation: Situation) -> dict[str, Any]:
    decision = decide_slot(situation.seen, situation.observed.name, situation.policy)
    record, op = situation.record, situation.operation
    verdict = signals.judge(situation) if is_active(record) else None
    is_alive = verdict is not None and verdict.life in (signals.Life.WELL, signals.Life.SUSPECT)
    is_asking = decision.answer in (Answer.HOLD, Answer.ALERT)
    return {
        "slot": situation.observed.name,
        "kind": situation.observed.spec.kind.value if situation.observed.spec else "unknown",
        "phase": record.phase.value,
        "epoch": record.epoch,
        "holder": record.holder or "",
        "life": verdict.life.value if verdict else "",
        "gate": "armed" if record.is_armed else "open",
        "operation": op.id if op else "",
        "step": op.step.value if op else "",
        "since": encode(op.step_at) if op else "",
        "rule": decision.rule,
        "sentence": decision.sentence,
        "missing": explain.missing(situation),
        "requests": [f"{request.verb} by {request.by}" for request in situation.observed.requests],
        "is_well": decision.rule in LEFT_ALONE or (is_alive and not is_asking),
        "not_rolled": _not_rolled(situation),
    }


def _not_rolled(situation: Situation) -> str:
    """Return why a roll leaves the slot out, or ""; a group that could not be read stops a roll instead."""
    if situation.observed.group is None:
        return "retired"
    if situation.group is not None and situation.group.is_parked:
        return "parked"
    if situation.observed.spec is not None and not situation.observed.spec.fenceable:
        return "not fenceable: its group has no tag picoha:fenceable=true"
    return ""


def why(asked: Asked) -> Reply:
    """Everything that decides about one slot."""
    found = explain.why(asked.seen, asked.slot, asked.policy)
    is_asking = found.answer in (Answer.HOLD, Answer.ALERT) or bool(found.missing)
    sentence = f"{found.slot}: rule {found.rule}, {found.answer}: {found.sentence}"
    if found.missing:
        sentence += f"; missing: {found.missing}"
    return Reply(REFUSED if is_asking else FINE, sentence, data=encode(found))


def history(asked: Asked) -> Reply:
    """The newest rows of a period, of one slot or of all; rows of the cell belong to every slot."""
    command = asked.command
    span = command.span or HISTORY_SPAN
    now = asked.ports.clock.now()
    rows = [
        row
        for row in asked.ports.memory.history(now - span, now + timedelta(minutes=1))
        if command.slot is None or row.slot in (command.slot, "*")
    ]
    shown = rows[-command.limit :]
    return Reply(
        FINE, f"{len(shown)} of {len(rows)} rows of the last {_words(span)}", data={"rows": _plain(shown)}
    )


def _plain(rows: Sequence[HistoryRow]) -> list[dict[str, Any]]:
    """Rows without their snapshots, which are for `export-case`."""
    return [{key: one for key, one in encode(row).items() if key != "snapshot"} for row in rows]


def _words(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} h"


def show(asked: Asked) -> Reply:
    """One operation with its trail, its calls and its history rows."""
    name = asked.command.operation
    # The open one first: an operation that ends between the two reads is then found ended.
    still_open = _open(asked).get(name)
    ended, journal = asked.ports.requests.operation(name)
    op = ended or still_open
    if op is None:
        raise Refusal(f"there is no operation {name}; open: {', '.join(_open(asked)) or 'none'}")
    now = asked.ports.clock.now()
    rows = asked.ports.memory.history(op.opened_at, now + timedelta(minutes=1))
    spent = ((op.step_at if op.is_ended else now) - op.opened_at).total_seconds()
    stuck = f" in {op.stuck_in}" if op.stuck_in is not None else ""
    told = f"{op.verb} {op.id} is {op.step}{stuck} after {spent:.0f} s"
    told += f": {', '.join(op.victims)} -> {op.target}, epoch {op.from_epoch + 1}" if op.is_ended else ""
    data = {
        "operation": encode(op),
        "journal": [encode(row) for row in sorted(journal, key=lambda one: (one.number, one.sends, one.at))],
        "rows": _plain([row for row in rows if row.operation == name]),
        "now": encode(now),
    }
    return Reply(FINE, told, data=data)


def _open(asked: Asked) -> Mapping[str, Operation]:
    records = asked.remembered.records.values()
    return {record.operation.id: record.operation for record in records if record.operation is not None}


def plan(asked: Asked) -> Reply:
    """What would happen if it were asked for, and what it would take."""
    command, slot = asked.command, asked.slot
    now = asked.ports.clock.now()
    rows = asked.ports.memory.history(now - PAST_SPAN, now)
    command = replace(command, by=command.by or "you", reason=command.reason or "a plan")
    done = [
        operation.took_s
        for operation in reported(rows, {}, now - PAST_SPAN, now).operations
        if operation.slot == slot
        and operation.ended == "done"
        and operation.took_s is not None
        and operation.verb in ENDS_AN_OUTAGE
    ]
    request = requested(replace(asked, command=command), RequestVerb(command.to), slot)
    found = planned(asked.seen, request, asked.policy, done)
    would = "begin now" if found.begins else f"be answered: {found.sentence}"
    told = found.refused or f"a {command.to} of {slot} would {would}"
    return Reply(REFUSED if found.refused else FINE, told, data={"slot": slot, **encode(found)})


def report(asked: Asked) -> Reply:
    """What a period showed, and whether the cell is ready."""
    span = asked.command.span or timedelta(days=14)
    found = period_report(asked, span)
    cell = status(asked)
    findings = asked.ports.examine()
    is_ready = cell.code == FINE and exit_code(findings) == FINE
    false = sum(len(one.false_rings) for one in found.health)
    told = (
        f"in {_words(span)}: {len(found.would_have)} would-have failovers, {len(found.operations)} operations"
        f", {false} false rings; {'ready' if is_ready else 'not ready'}"
    )
    data = {
        **encode(found),
        "ready": is_ready,
        "not_well": [slot["sentence"] for slot in cell.data["slots"] if not slot["is_well"]],
        "findings": encode(findings),
    }
    return Reply(FINE, told, data=data)


def period_report(asked: Asked, span: timedelta) -> PeriodReport:
    """Return the report of the last `span`; a metric that cannot be read is said, not guessed."""
    until = asked.ports.clock.now()
    since = until - span
    rows = asked.ports.memory.history(since, until + timedelta(minutes=1))
    slots = [slot.name for slot in asked.seen.slots]
    unread = ""
    health: Mapping[SlotName, Sequence[Sample]] = {}
    try:
        health = asked.ports.requests.health(slots, since, until)
    except SensorFailed as problem:
        unread = str(problem)
    return reported(rows, health, since, until, unread)


def verify(asked: Asked) -> Reply:
    """Check the records of a period; not fine when a promise was broken."""
    span = asked.command.span or timedelta(days=1)
    now = asked.ports.clock.now()
    broken = broken_promises(asked.ports.memory.ledger(now - span, now), asked.policy, now)
    told = f"{len(broken)} promises were broken" if broken else "every promise that the records show was kept"
    return Reply(REFUSED if broken else FINE, told, data={"broken": broken, "not_checked": list(NOT_CHECKED)})


def doctor(asked: Asked) -> Reply:
    """Everything a failover will need, examined now."""
    found = asked.ports.examine()
    code = exit_code(found)
    told = f"{len(errors(found))} errors in {len(found)} findings"
    return Reply(code, told, data={"findings": encode(found)})


def leave(asked: Asked) -> Reply:
    """What still depends on the stack and would break without it; fine when nothing does."""
    found = asked.ports.depending()
    told = f"{len(errors(found))} things must be mended before the stack may be deleted"
    return Reply(exit_code(found), told, data={"findings": encode(found)})
