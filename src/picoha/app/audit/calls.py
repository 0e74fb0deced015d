"""After the fact: was every journalled call ordered, aimed and answered as promised? (S5, S6, S7, S13.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from picoha.domain.ledger import JournalRow, is_proven
from picoha.domain.model import InstanceId
from picoha.domain.record import Operation, Step

if TYPE_CHECKING:
    from picoha.domain.ledger import Ledger

RESULT_WITHIN = timedelta(minutes=5)
"""An intent of an open operation without a result for longer than this is a gap in the audit (S13).

A crash after the call loses its result for ever. The next worker sends again, and notes that, or it sees
the effect and goes on: to another intent, or to another step.
"""
AIMED = ("FenceHost", "HintUnhealthy", "AbandonLaunch")
"""The calls of an operation whose journal text names the instance (domain/actions.py)."""


def calls(ledger: Ledger, now: datetime) -> Iterable[str]:
    """Yield every promise that an intent of the journal breaks."""
    noted = {row.operation: row.at for row in sorted(ledger.journal, key=lambda row: row.at) if row.outcome}
    for row in ledger.journal:
        op = ledger.operations.get(row.operation)
        if row.outcome:
            continue
        if op is None:
            yield f"S7: {row.action} names no admitted operation ({row.operation})"
            continue
        yield from _aims(ledger, op, row)
        if row.at < op.opened_at:
            yield f"S7: {row.action} was ordered before {op.id} was admitted"
        went_on = op.is_ended or op.step_at > row.at or (op.id in noted and noted[op.id] >= row.at)
        if not went_on and now - row.at > RESULT_WITHIN:
            yield f"S13: {row.action} of {op.id} at {row.at:%H:%M:%S} has no result"


def _aims(ledger: Ledger, op: Operation, row: JournalRow) -> Iterable[str]:
    """S5 and S6: what a taking call aims at (the preconditions in domain/actions.py)."""
    verb, _, rest = row.action.partition(" ")
    target = InstanceId(rest.split(" ")[0])
    if verb in AIMED and target not in op.victims:
        yield f"S6: {row.action} of {op.id} aims at no victim"
    elif verb == "AbandonLaunch" and not is_proven(ledger, target, row.at):
        yield f"S6: {row.action} of {op.id} was ordered before {target} was proven off"
    elif verb == "FreeAddress":
        unproven = [one for one in _victims_at(op, row.at) if not is_proven(ledger, one, row.at)]
        if unproven or not op.victims:
            whom = ", ".join(unproven) or "a victim"
            yield f"S5: {row.action} of {op.id} was ordered before {whom} was proven off"


def _victims_at(op: Operation, at: datetime) -> Sequence[InstanceId]:
    """Return who was a victim for certain; a call names an association, which tells no instance.

    An address is moved after fencing only, and fencing ends with evidence (design.md 6): by then each
    of them is proven off. Those of a later fencing were no victims yet; the first always was one.
    """
    fencing = op.trail.get(Step.FENCING)
    return op.victims if fencing is None or fencing <= at else op.victims[:1]
