"""After the fact: do the records of a period keep the promises? (safety.md 4 and 9.4.)

Reads what picoha wrote, not what it believes now, and reports only what the records show for certain.
S3 (two actives) needs the hosts' own truth, so only the drill's referee judges it; S13 against
CloudTrail is not read here. The limits are judged by the policy of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from picoha.app.audit.calls import calls
from picoha.app.snapshot import unpack
from picoha.domain.codec import Undecodable
from picoha.domain.ledger import Ledger, is_proven
from picoha.domain.model import SHOWN_BY_AWS, EvidenceKind, SlotName
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import Grant, Operation, Step
from picoha.domain.situation import Situation

PASS = timedelta(seconds=75)
"""What a pass saw may be as old as its function can run (design.md 11); so near, nothing is certain."""
ENDS = ("done", "aborted")
NOT_CHECKED = (
    "S3: needs the hosts' own truth",
    "S8 storm: only where the failed zones differ; slots that were bad without an operation are not counted",
    "S8 in flight: while a slot may have been parked, or within 75 s of its operation's end or resumption",
    "S8 brake: failovers admitted before the period",
    "S13 against CloudTrail: not read",
)


def verify(ledger: Ledger, policy: Policy, now: datetime) -> list[str]:
    """Return every broken promise as one sentence that begins with its number; [] = none found."""
    checks = (
        _grants(ledger),
        _proofs(ledger),
        calls(ledger, now),
        _limits(ledger, policy),
        _crowds(ledger, policy),
        _overlaps(ledger),
    )
    return [problem for found in checks for problem in found]


def _grants(ledger: Ledger) -> Iterable[str]:
    by_slot: dict[SlotName, list[Grant]] = {}
    for grant in sorted(ledger.grants, key=lambda row: (row.slot, row.epoch)):
        before = by_slot.setdefault(grant.slot, [])
        if before and grant.epoch == before[-1].epoch and grant.holder != before[-1].holder:
            holders = f"{before[-1].holder} and {grant.holder}"
            yield f"S1: {grant.slot} epoch {grant.epoch} was granted to {holders}"
        if before and grant.at < before[-1].at:
            yield f"S1: {grant.slot} epoch {grant.epoch} is older than epoch {before[-1].epoch}"
        yield from _fenced_before(ledger, before, grant)
        before.append(grant)


def _fenced_before(ledger: Ledger, before: Sequence[Grant], grant: Grant) -> Iterable[str]:
    for earlier in sorted({row.holder for row in before} - {grant.holder}):
        if not is_proven(ledger, earlier, grant.at):
            yield f"S2: {grant.slot} epoch {grant.epoch} was granted before {earlier} was proven off"


def _proofs(ledger: Ledger) -> Iterable[str]:
    for proof in ledger.evidence.values():
        is_human = proof.kind is EvidenceKind.OPERATOR
        if not proof.detail or (is_human and proof.by in ("", "controller")):
            yield f"S4: the evidence of {proof.instance} names no source"
        elif not is_human and proof.detail != SHOWN_BY_AWS[proof.kind]:
            yield f"S4: the {proof.kind} evidence of {proof.instance} is no proof: {proof.detail}"


def _slot(op: Operation) -> SlotName:
    """Operations are named `<slot>-<epoch>-<n>` (design.md 3)."""
    return SlotName(op.id.rsplit("-", 2)[0])


def _counted(ledger: Ledger) -> list[Operation]:
    """Return the operations that limits count, oldest first: automatic, and something was taken."""
    found = [op for op in ledger.operations.values() if op.is_automatic and not op.is_recovery]
    return sorted(found, key=lambda op: (op.opened_at, op.id))


def _limits(ledger: Ledger, policy: Policy) -> Iterable[str]:
    """S8, the brake: 2 of a slot in 6 h, 3 of a cell in 1 h, 6 in 24 h (design.md 6).

    Who closes the breaker lets the counts begin anew; before the period, nobody knows who did.
    """
    shown = {row.operation for row in ledger.history if row.event == "admitted"}
    named = {row.operation for row in ledger.history}
    known = [
        op
        for op in _counted(ledger)
        if op.id in shown or not ledger.history or (op.is_ended and op.id not in named)
    ]
    closings = [row.at for row in ledger.history if row.event == "breaker-closed"]
    for window, most in ((timedelta(hours=1), policy.brake_hour), (timedelta(hours=24), policy.brake_day)):
        yield from _too_many([op.opened_at for op in known], closings, window, most, "")
    for slot in sorted({_slot(op) for op in known}):
        times = [op.opened_at for op in known if _slot(op) == slot]
        yield from _too_many(times, closings, policy.brake_slot_window, policy.brake_slot, f" of {slot}")


def _too_many(
    times: Sequence[datetime], closings: Sequence[datetime], window: timedelta, most: int, whose: str
) -> Iterable[str]:
    for begin in times:
        end = min([begin + window, *(at for at in closings if at >= begin)])
        count = sum(begin <= at < end for at in times)
        if count > most:
            since = f"{begin:%H:%M:%S}"
            yield f"S8: {count} automatic failovers{whose} within {window} of {since} (limit {most})"


def _crowds(ledger: Ledger, policy: Policy) -> Iterable[str]:
    """S8, in flight and storm, at the instant of each admission of an automatic failover."""
    counted = _counted(ledger)
    for number, op in enumerate(counted):
        others = [one for one in counted[:number] if _slot(one) != _slot(op)]
        seen = _seen_by(ledger, op)
        busy = sorted(
            {_slot(other) for other in others if _is_busy(ledger, other, op.opened_at, seen, policy)}
        )
        is_own_lane = seen is not None and _is_platform(seen, _slot(op), policy)
        # Where no slot's kind is known, one of them may be the Platform.
        if not is_own_lane and len(busy) - (seen is None) >= policy.executions_in_flight:
            most = policy.executions_in_flight
            yield f"S8: {op.id} was admitted while {', '.join(busy)} was failing over (limit {most})"
        if seen is not None:
            yield from _storm(op, others, seen, policy)


def _seen_by(ledger: Ledger, op: Operation) -> Observation | None:
    """Return the observation that admitted an operation: its slots' kinds and groups, and the brake."""
    for row in ledger.history:
        if row.event == "admitted" and row.operation == op.id and row.at == op.opened_at and row.snapshot:
            try:
                return unpack(row.snapshot)
            except Undecodable:
                return None
    return None


def _situation(seen: Observation, slot: SlotName, policy: Policy) -> Situation | None:
    return next((Situation(seen, one, policy) for one in seen.slots if one.name == slot), None)


def _is_platform(seen: Observation, slot: SlotName, policy: Policy) -> bool:
    situation = _situation(seen, slot, policy)
    return situation is not None and situation.is_platform


def _is_busy(ledger: Ledger, op: Operation, at: datetime, seen: Observation | None, policy: Policy) -> bool:
    """True when an execution slot's operation was in flight at a time for certain (gates.in_flight)."""
    if _may_be_parked(op, at, seen, policy) or (seen is not None and _is_platform(seen, _slot(op), policy)):
        return False
    return any(begin <= at < end for begin, end in _flights(ledger, op))


def _may_be_parked(op: Operation, at: datetime, seen: Observation | None, policy: Policy) -> bool:
    """A group's desired 0 while its operation waits for a host: that slot blocks nobody else."""
    if seen is not None:
        situation = _situation(seen, _slot(op), policy)
        return situation is None or (situation.group is not None and situation.group.is_parked)
    waited, found = op.trail.get(Step.AWAITING_HOST), op.trail.get(Step.ADDRESSING)
    if waited is None:
        return op.step is Step.AWAITING_HOST
    return len(op.victims) > 1 or not (at < waited or (found is not None and waited <= found <= at))


def _flights(ledger: Ledger, op: Operation) -> Iterable[tuple[datetime, datetime]]:
    """Yield when an operation was in flight for certain: neither waiting for an operator nor ended."""
    rows = [row for row in ledger.history if row.operation == op.id and row.at >= op.opened_at]
    is_on = not op.is_ended and op.step is not Step.NEEDS_OPERATOR
    is_whole = any(row.event == "admitted" for row in rows) or (op.is_ended and not rows)
    begin = op.opened_at if is_whole or op.step_at == op.opened_at else None
    for row in rows:
        if row.event in ("needs-operator", *ENDS):
            if begin is not None:
                yield begin, row.at - PASS
            begin = None
        elif row.event in ("resumed", "retried"):
            begin = row.at + PASS
    if begin is None and is_on:
        begin = op.step_at + PASS
    if begin is not None:
        yield begin, datetime.max.replace(tzinfo=UTC) if is_on else op.step_at - PASS


def _storm(op: Operation, others: Sequence[Operation], seen: Observation, policy: Policy) -> Iterable[str]:
    """S8, storm (storm): more slots bad or replaced lately than may be, in more than one zone.

    Counts operations only: a slot may be bad without one, but who counts fewer accuses nobody wrongly.
    """
    released = seen.brake.storm_released_until
    if released is not None and op.opened_at < released:
        return
    bad = {_slot(other): other for other in others if _is_bad(other, op.opened_at, seen, policy)}
    limit = max(policy.storm_floor, -(-policy.storm_percent * len(seen.slots) // 100))
    zones = {one.zone for one in bad.values() if len(one.victims) <= 1} - {"", op.zone}
    count = 1 + len(bad)
    if count > limit and op.zone and zones:
        yield f"S8: {op.id} was admitted in a storm: {count} of {len(seen.slots)} slots (limit {limit})"


def _is_bad(op: Operation, at: datetime, seen: Observation, policy: Policy) -> bool:
    situation = _situation(seen, _slot(op), policy)
    if situation is None or (situation.group is not None and situation.group.is_parked):
        return False
    is_late_end = op.step is Step.DONE and at - op.step_at < policy.storm_memory - PASS
    return not op.is_ended or op.step_at > at + PASS or is_late_end


@dataclass(frozen=True)
class _Stay:
    """How long a slot's operation was open: (time, version) of its admission and of its end."""

    slot: SlotName
    operation: str
    begin: tuple[datetime, int]
    end: tuple[datetime, int] | None

    def is_over_before(self, other: _Stay) -> bool:
        """True when either says so: the times, or where both are known the record's versions."""
        if self.end is None:
            return False
        is_older = 0 < self.end[1] < other.begin[1]
        return is_older or self.end[0] <= other.begin[0]


def _overlaps(ledger: Ledger) -> Iterable[str]:
    """S10, also of operations that began before the period."""
    stays = sorted(_stays(ledger), key=lambda one: one.begin[0])
    for number, later in enumerate(stays):
        for one in stays[:number]:
            if one.slot == later.slot and not one.is_over_before(later):
                yield f"S10: {later.operation} was admitted while {one.operation} was open"


def _stays(ledger: Ledger) -> Iterable[_Stay]:
    rows = sorted(ledger.history, key=lambda row: row.at)
    shown = [(row.slot, row.operation, row.at, row.ver) for row in rows if row.event == "admitted"]
    names = {one[1] for one in shown}
    early = [(_slot(op), op.id, op.opened_at, 0) for op in ledger.operations.values() if op.id not in names]
    for slot, name, at, ver in (*early, *shown):
        op = ledger.operations.get(name)
        ends = [
            (row.at, row.ver) for row in rows if row.operation == name and row.event in ENDS and row.at >= at
        ]
        if not ends and op is not None and op.is_ended and op.step_at >= at:
            ends = [(op.step_at, 0)]
        yield _Stay(slot, name, (at, ver), ends[0] if ends else None)
