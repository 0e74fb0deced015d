"""What a period showed: would-have failovers, failovers, false rings, the worst gap of the metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from picoha.domain.model import Sample, SlotName
from picoha.domain.record import HistoryRow

MINUTE = timedelta(minutes=1)
LEADS_WITHIN = timedelta(minutes=10)
"""A failed or silent minute belongs to what the loop did within this time after it."""
ANSWERS = frozenset({"would-have", "admitted", "restart-ordered"})
"""Events that answer a ring; without one of them the ring was false."""
REPLACES = frozenset({"adopted", "granted", "proven-off", "confirmed-fenced"})


@dataclass(frozen=True)
class WouldHave:
    """A failover that observe only wrote down. `came_back_s` is None while the host did not."""

    at: datetime
    slot: SlotName
    rule: int
    evidence: str
    came_back_s: int | None = None
    fate: str = ""


NOT_RECORDED = "not recorded"
"""The verb of an operation whose history row is older than the field."""


@dataclass(frozen=True)
class Replaced:
    """An operation admitted in the period; `took_s` is None while it is open."""

    at: datetime
    slot: SlotName
    operation: str
    verb: str
    rule: int
    evidence: str
    took_s: int | None = None
    ended: str = "open"


@dataclass(frozen=True)
class SlotHealth:
    """What the slot's metric showed, by the minute. `worst_gap_s` counts minutes without a sample."""

    slot: SlotName
    minutes: int
    worst_gap_s: int
    worst_gap_at: datetime | None
    false_rings: tuple[datetime, ...]


@dataclass(frozen=True)
class PeriodReport:
    """All of it; `unread` says what could not be read."""

    since: datetime
    until: datetime
    would_have: tuple[WouldHave, ...]
    operations: tuple[Replaced, ...]
    health: tuple[SlotHealth, ...]
    unread: str = ""


def report(
    rows: Sequence[HistoryRow],
    health: Mapping[SlotName, Sequence[Sample]],
    since: datetime,
    until: datetime,
    unread: str = "",
) -> PeriodReport:
    """Return the report of a period from its history (oldest first) and the metric by the minute."""
    return PeriodReport(
        since=since,
        until=until,
        would_have=tuple(_would_have(rows, health)),
        operations=tuple(_operations(rows)),
        health=tuple(_health(slot, samples, rows) for slot, samples in sorted(health.items())),
        unread=unread,
    )


def _would_have(
    rows: Sequence[HistoryRow], health: Mapping[SlotName, Sequence[Sample]]
) -> Iterable[WouldHave]:
    for row in rows:
        if row.event != "would-have":
            continue
        later = (one for one in rows if one.slot == row.slot and one.at > row.at)
        end = next((one for one in later if one.event in REPLACES), None)
        good = (
            one.at
            for one in health.get(row.slot, ())
            if one.value >= 1 and row.at < one.at and (end is None or one.at < end.at)
        )
        back = next(good, None)
        fate = f"{end.event} at {end.at:%Y-%m-%d %H:%M}" if end else "nothing more was recorded"
        came_back_s = int((back - row.at).total_seconds()) if back else None
        yield WouldHave(row.at, row.slot, row.rule, row.evidence or row.sentence, came_back_s, fate)


def _operations(rows: Sequence[HistoryRow]) -> Iterable[Replaced]:
    for row in rows:
        if row.event != "admitted":
            continue
        ends = (one for one in rows if one.operation == row.operation and one.event in ("done", "aborted"))
        end = next(ends, None)
        took_s = int((end.at - row.at).total_seconds()) if end else None
        ended = end.event if end else "open"
        verb = row.verb or NOT_RECORDED
        yield Replaced(row.at, row.slot, row.operation, verb, row.rule, row.evidence, took_s, ended)


def _health(slot: SlotName, samples: Sequence[Sample], rows: Sequence[HistoryRow]) -> SlotHealth:
    """Judge from the first sample of the period on: before it there may have been no agent."""
    worst, worst_at, rings = timedelta(0), None, []
    for before, after in pairwise(samples):
        gap = after.at - before.at - MINUTE
        if gap > worst:
            worst, worst_at = gap, before.at + MINUTE
        is_bad = after.value < 1 and before.value >= 1
        if gap > timedelta(0) or is_bad:
            rings.append(after.at if is_bad else before.at + MINUTE)
    answered = [row.at for row in rows if row.slot == slot and row.event in ANSWERS]
    false = (at for at in rings if not any(at - MINUTE <= one <= at + LEADS_WITHIN for one in answered))
    return SlotHealth(slot, len(samples), int(worst.total_seconds()), worst_at, tuple(false))
