"""Turn a recorded decision into a golden case: snapshot in, rule and actions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from picoha.app.errors import SettingsInvalid
from picoha.app.snapshot import unpack
from picoha.domain.codec import Undecodable, encode
from picoha.domain.policy import Policy
from picoha.domain.record import HistoryRow
from picoha.domain.rules.table import decide_slot


def golden_case(rows: Sequence[HistoryRow], operation: str, policy: Policy) -> dict[str, Any]:
    """Return the case of an operation's admission; raises SettingsInvalid when it has no snapshot.

    The rule is decided anew from the snapshot, so a case that no longer decides as it was recorded
    says so in `recorded_rule`.
    """
    row = next((one for one in rows if one.operation == operation and one.snapshot), None)
    if row is None:
        known = ", ".join(sorted({one.operation for one in rows if one.snapshot and one.operation})) or "none"
        raise SettingsInvalid(f"no recorded decision of operation {operation!r}; recorded: {known}")
    try:
        seen = unpack(row.snapshot)
    except Undecodable as problem:
        raise SettingsInvalid(f"the record of {operation}: {problem}") from problem
    decision = decide_slot(seen, row.slot, policy)
    return {
        "name": f"{row.operation}: {row.sentence}",
        "slot": row.slot,
        "rule": decision.rule,
        "recorded_rule": row.rule,
        "answer": decision.answer.value,
        "actions": [str(action) for action in decision.actions],
        "snapshot": encode(seen),
    }
