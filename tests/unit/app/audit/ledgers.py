"""Ledgers made by hand: operations with their rows, evidence and journal, and what `verify` says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from builders import (
    NOW,
    ago,
    an_operation,
)
from picoha.app.audit.promises import verify
from picoha.app.snapshot import pack
from picoha.domain.ledger import Ledger
from picoha.domain.model import SlotName
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import HistoryRow, Mode, Operation, Step

POLICY = Policy()
THIRD = SlotName("ec3")


def found(ledger: Ledger, policy: Policy = POLICY) -> list[str]:
    return verify(ledger, policy, NOW)


def an_op(slot: str, opened_s: float, ended_s: float | None = None, **fields: Any) -> Operation:
    """A failover admitted this long ago, still fencing or done; named after its slot and time."""
    opened, ended = ago(opened_s), ago(ended_s or 0)
    told: dict[str, Any] = {
        "id": f"{slot}-1-{int(opened_s)}",
        "opened_at": opened,
        "step_at": ended if ended_s is not None else opened,
        "trail": {"admitted": opened, "fencing": opened},
    }
    told["step"] = Step.FENCING if ended_s is None else Step.DONE
    return replace(an_operation(slot), **{**told, **fields})


def a_row(op: Operation, event: str, at: datetime, **fields: Any) -> HistoryRow:
    slot = SlotName(op.id.split("-")[0])
    return replace(HistoryRow(at, slot, 0, 445, event, "", Mode.ENFORCE, op.id), **fields)


def admitted(op: Operation, seen: Observation | None = None, **fields: Any) -> HistoryRow:
    return a_row(op, "admitted", op.opened_at, snapshot=pack(seen) if seen else "", **fields)


def a_ledger(*ops: Operation, rows: Sequence[HistoryRow] = (), **fields: Any) -> Ledger:
    history = sorted(rows, key=lambda row: row.at)
    return Ledger(operations={op.id: op for op in ops}, history=history, **fields)


def shown(*ops: Operation, seen: Observation | None = None, rows: Sequence[HistoryRow] = ()) -> Ledger:
    """A ledger with the admission, and for an ended one the end, of each operation."""
    begins = [admitted(op, seen) for op in ops]
    ends = [a_row(op, "done", op.step_at) for op in ops if op.is_ended]
    return a_ledger(*ops, rows=[*begins, *ends, *rows])
