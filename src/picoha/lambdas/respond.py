"""Answers one doorbell: read it, drive the loop, reply. Everything it needs is handed to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from picoha.app.errors import MalformedEvent, UnknownEvent
from picoha.lambdas.doorbells import Wakeup, parse

# Kept back from the time that is left, so that the answer and the log leave before Lambda ends the process.
MARGIN_S = 10.0

Reply = dict[str, object]


class Invocation(Protocol):
    """The one thing asked of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends this invocation."""


class Log(Protocol):
    """The part of a logger used here; Powertools' Logger and the standard library's both fit."""

    def info(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        """Write one line at level INFO."""

    def warning(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        """Write one line at level WARNING."""

    def exception(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        """Write one line at level ERROR with the exception being handled."""


@dataclass(frozen=True)
class Wiring:
    """What an answer needs: `drive(cause, budget_s)` runs the loop, `count(name)` adds 1 to a metric."""

    drive: Callable[[str, float], Reply]
    drive_s: float
    log: Log
    count: Callable[[str], None]


def respond(event: object, lambda_context: Invocation, wiring: Wiring) -> Reply:
    """Return the drive's reply, or `outcome: ignored` with the reason for an event that is no doorbell.

    Writes one log line and counts one metric. An event that is no doorbell changes nothing and is not
    retried; any error of the drive is logged and raised, so that Lambda's failure destination gets it.
    """
    try:
        wakeup = parse(event)
    except (UnknownEvent, MalformedEvent) as problem:
        return _ignored(problem, wiring)
    wiring.count("Doorbells")
    return _driven(wakeup, lambda_context, wiring)


def _ignored(problem: UnknownEvent | MalformedEvent, wiring: Wiring) -> Reply:
    kind = type(problem).__name__
    reply: Reply = {"outcome": "ignored", "reason": str(problem)}
    wiring.count(f"{kind}s")
    wiring.log.warning("event ignored, nothing was changed", extra={**reply, "kind": kind})
    return reply


def _driven(wakeup: Wakeup, lambda_context: Invocation, wiring: Wiring) -> Reply:
    left_ms = lambda_context.get_remaining_time_in_millis()
    budget_s = max(0.0, min(wiring.drive_s, left_ms / 1000 - MARGIN_S))
    fields: dict[str, object] = {
        "cause": wakeup.cause.value,
        "detail": wakeup.detail,
        "event_id": wakeup.event_id,
        "occurred_at": wakeup.occurred_at.isoformat() if wakeup.occurred_at else None,
        "subjects": list(wakeup.subjects),
        "budget_s": budget_s,
    }
    try:
        reply = wiring.drive(wakeup.cause.value, budget_s)
    except Exception:
        wiring.log.exception("doorbell failed", extra=fields)
        raise
    took_ms = left_ms - lambda_context.get_remaining_time_in_millis()
    wiring.log.info("doorbell answered", extra={**fields, "took_ms": took_ms, "reply": reply})
    return reply
