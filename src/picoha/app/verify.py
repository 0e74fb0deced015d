"""After the fact: do the records of a period keep the promises? (safety.md 4 and 9.4.)

Reads what picoha wrote, not what it believes now. S3 (two actives) needs the hosts' own truth, so
only the desk's referee judges it; S13 against CloudTrail is not read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from picoha.app.ports import JournalRow
from picoha.domain.model import Evidence, EvidenceKind, InstanceId, SlotName
from picoha.domain.policy import Policy
from picoha.domain.record import Grant, HistoryRow, Operation, Verb

RESULT_WITHIN = timedelta(minutes=5)
"""An intent of an open operation without a result for longer than this is a gap in the audit (S13).

A crash after the call loses its result; then a later send has one, or the observed effect ended it.
"""
NOT_CHECKED = ("S3: needs the hosts' own truth", "S13 against CloudTrail: not read")


@dataclass(frozen=True)
class Ledger:
    """Everything written in a period; grants and evidence from the beginning."""

    grants: Sequence[Grant] = ()
    evidence: Mapping[InstanceId, Evidence] = field(default_factory=dict)
    history: Sequence[HistoryRow] = ()
    operations: Mapping[str, Operation] = field(default_factory=dict)
    journal: Sequence[JournalRow] = ()


def verify(ledger: Ledger, policy: Policy, now: datetime) -> list[str]:
    """Return every broken promise as one sentence that begins with its number; [] = none found."""
    checks = (
        _grants(ledger),
        _proofs(ledger),
        _calls(ledger, now),
        _limits(ledger, policy),
        _overlaps(ledger),
    )
    return [problem for found in checks for problem in found]


def _grants(ledger: Ledger) -> Iterable[str]:
    by_slot: dict[SlotName, list[Grant]] = {}
    for one in sorted(ledger.grants, key=lambda row: (row.slot, row.epoch)):
        before = by_slot.setdefault(one.slot, [])
        if before and one.epoch == before[-1].epoch and one.holder != before[-1].holder:
            yield f"S1: {one.slot} epoch {one.epoch} was granted to {before[-1].holder} and {one.holder}"
        if before and one.at < before[-1].at:
            yield f"S1: {one.slot} epoch {one.epoch} is older than epoch {before[-1].epoch}"
        yield from _fenced_before(ledger, before, one)
        before.append(one)


def _fenced_before(ledger: Ledger, before: Sequence[Grant], grant: Grant) -> Iterable[str]:
    for earlier in {row.holder for row in before} - {grant.holder}:
        proof = ledger.evidence.get(earlier)
        if proof is None or proof.seen_at > grant.at:
            yield f"S2: {grant.slot} epoch {grant.epoch} was granted before {earlier} was proven off"


def _proofs(ledger: Ledger) -> Iterable[str]:
    for one in ledger.evidence.values():
        is_human = one.kind is EvidenceKind.OPERATOR
        if not one.detail or (is_human and one.by in ("", "controller")):
            yield f"S4: the evidence of {one.instance} names no source"


def _calls(ledger: Ledger, now: datetime) -> Iterable[str]:
    results = {(row.operation, row.number, row.sends) for row in ledger.journal if row.outcome}
    for row in ledger.journal:
        op = ledger.operations.get(row.operation)
        if row.outcome:
            continue
        if op is None:
            yield f"S7: {row.action} names no admitted operation ({row.operation})"
            continue
        verb, _, rest = row.action.partition(" ")
        target = InstanceId(rest.split(" ")[0])
        if verb in ("FenceHost", "HintUnhealthy") and target not in op.victims:
            yield f"S6: {row.action} of {op.id} aims at no victim"
        if row.at < op.opened_at:
            yield f"S7: {row.action} was ordered before {op.id} was admitted"
        if verb == "FreeAddress" and not any(one in ledger.evidence for one in op.victims):
            yield f"S5: {row.action} of {op.id} had no proven victim"
        is_noted = any(key[:2] == (row.operation, row.number) and key[2] >= row.sends for key in results)
        if not (is_noted or op.is_ended) and now - row.at > RESULT_WITHIN:
            yield f"S13: {row.action} of {op.id} at {row.at:%H:%M:%S} has no result"


def _limits(ledger: Ledger, policy: Policy) -> Iterable[str]:
    automatic = [
        op for op in ledger.operations.values() if op.verb is Verb.FAILOVER and op.by == "controller"
    ]
    for window, most in ((timedelta(hours=1), policy.brake_hour), (timedelta(hours=24), policy.brake_day)):
        for op in automatic:
            count = sum(timedelta(0) <= other.opened_at - op.opened_at < window for other in automatic)
            if count > most:
                since = f"{op.opened_at:%H:%M:%S}"
                yield f"S8: {count} automatic failovers within {window} of {since} (limit {most})"


def _overlaps(ledger: Ledger) -> Iterable[str]:
    is_open: dict[SlotName, str] = {}
    for row in ledger.history:
        if row.event == "admitted":
            if row.slot in is_open:
                yield f"S10: {row.operation} was admitted while {is_open[row.slot]} was open"
            is_open[row.slot] = row.operation
        elif row.event in ("done", "aborted"):
            is_open.pop(row.slot, None)
