"""What picoha wrote in a period: grants, evidence, history, operations and their journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from picoha.domain.model import Evidence, InstanceId
from picoha.domain.record import Grant, HistoryRow, Operation


@dataclass(frozen=True)
class JournalRow:
    """One effect of an operation: the intent (`outcome` empty) or its result."""

    operation: str
    number: int
    sends: int
    action: str
    at: datetime
    outcome: str = ""
    request_id: str = ""


@dataclass(frozen=True)
class Ledger:
    """Everything written in a period; grants and evidence from the beginning."""

    grants: Sequence[Grant] = ()
    evidence: Mapping[InstanceId, Evidence] = field(default_factory=dict)
    history: Sequence[HistoryRow] = ()
    operations: Mapping[str, Operation] = field(default_factory=dict)
    journal: Sequence[JournalRow] = ()


def is_proven(ledger: Ledger, instance: InstanceId, at: datetime) -> bool:
    """True when the instance had evidence at that time."""
    proof = ledger.evidence.get(instance)
    return proof is not None and proof.seen_at <= at
