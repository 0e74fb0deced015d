"""Repeat the pass while progress is near, inside a time budget; the tick continues the rest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from picoha.app.errors import ActionFailed
from picoha.app.ports import Ports
from picoha.app.reconcile import UNREADABLE, Line, reconcile
from picoha.domain.policy import Policy

LOG = logging.getLogger("picoha")

POLL_LEAST_S = 2.0
POLL_MOST_S = 5.0
"""A handler polls every 2 to 5 s (design.md 2.4)."""
PASSES = 200
"""An upper bound that no healthy drive meets; a loop that never settles ends here."""


@dataclass(frozen=True)
class DriveReport:
    """What one invocation did: the number of passes and the last pass's lines."""

    passes: int
    lines: tuple[Line, ...]
    saved: int

    def to_reply(self) -> dict[str, object]:
        """Return the plain form that the handler answers with."""
        slots = {
            line.slot: {
                "rule": line.decision.rule,
                "answer": line.decision.answer.value,
                "outcome": line.outcome,
                "sentence": line.decision.sentence,
            }
            for line in reversed(self.lines)
            if line.decision.rule
        }
        return {"outcome": "driven", "passes": self.passes, "saved": self.saved, "slots": slots}


def drive(ports: Ports, policy: Policy, budget_s: float, polls: bool = True) -> DriveReport:
    """Look and act until nothing is near or the budget (seconds) is used up.

    Without `polls` it goes on only while it makes progress: one failover rings a dozen events, and
    the alarm's and the tick's handlers are already waiting for the next effect.
    """
    end = ports.clock.monotonic() + budget_s
    passes = saved = 0
    lines: tuple[Line, ...] = ()
    has_beaten = False
    while passes < PASSES:
        lines = reconcile(ports, policy)
        passes += 1
        # Only a pass that could read and write the table beats: without it nothing fails over, and the
        # alarm on the missing Tick is the one that says so without the controller.
        if not has_beaten and _has_memory(lines):
            has_beaten = True
            _beat(ports)
        saved += sum(line.outcome == "saved" for line in lines)
        pause_s = _pause(lines)
        is_over = pause_s is None or ports.clock.monotonic() + pause_s >= end
        if is_over or (pause_s and not polls):
            break
        if pause_s:
            ports.clock.sleep(pause_s)
    return DriveReport(passes, lines, saved)


def _has_memory(lines: Sequence[Line]) -> bool:
    return not any(line.decision.rule == UNREADABLE or line.outcome == "unsure" for line in lines)


def _beat(ports: Ports) -> None:
    try:
        ports.notifier.beat()
    except ActionFailed as problem:
        LOG.warning("publishing the tick: %s", problem)


def _pause(lines: Sequence[Line]) -> float | None:
    """Return how long to wait before the next pass, or None when nothing is near (seconds)."""
    if any(line.outcome == "saved" for line in lines):
        return 0.0
    near = [line.decision.look_again_s for line in lines if line.decision.look_again_s is not None]
    if any(line.outcome in ("lost race", "unsure") for line in lines):
        near.append(POLL_LEAST_S)
    return min(POLL_MOST_S, max(POLL_LEAST_S, min(near))) if near else None
