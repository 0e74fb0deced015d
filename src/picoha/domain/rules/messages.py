"""What a message about an operation says: what, why, what comes next, how to stop it (safety.md 10.2)."""

from __future__ import annotations

from datetime import datetime

from picoha.domain.record import Operation, Step

NEXT = {
    Step.DRAINING: "its picos are stopped in order, then it is fenced",
    Step.FENCING: "it is terminated; nobody is granted the slot before it is proven off",
    Step.AWAITING_HOST: "its replacement gets the address and gets into service, then it is granted",
    Step.VERIFYING: "its names are verified and its picos started; done once they stay healthy",
    Step.DONE: "nothing; `picoha verify` judges the record",
}
"""What follows on a step that is told; the other steps pass in seconds and are in the history."""


def of_operation(op: Operation, said: str, now: datetime) -> str:
    """Return the text of one state change, a few lines for people; `op` is the operation after it."""
    passed = (now - op.opened_at).total_seconds()
    stop = f"`picoha abort {op.id} --reason ...` leaves the slot vacant and paused; nothing taken comes back"
    lines = [
        f"{said} ({now:%H:%M:%S} UTC, +{passed:.0f} s)",
        f"Why:  {op.reason}",
        f"Next: {NEXT[op.step]}",
        f"Stop: {stop}" if not op.is_ended else "",
        f"Look: `picoha show {op.id}`",
    ]
    return "\n".join(line for line in lines if line)
