"""The storm gate: many bad slots at once are one cause, not many (design.md 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from picoha.domain.judging import signals
from picoha.domain.judging.gate import Gate
from picoha.domain.observation import is_open
from picoha.domain.record import Phase
from picoha.domain.situation import Situation


def storm(situation: Situation) -> Gate:
    """Too many bad slots at once is one cause, not many: hold, unless it is one zone's trouble."""
    released = situation.seen.brake.storm_released_until
    if released and situation.now < released:
        return Gate("storm", True, f"released by an operator until {released:%H:%M:%S} UTC")
    census = _census(situation)
    number, limit = storm_count(situation)
    count = f"{number} of {len(situation.seen.slots)} slots bad or replaced lately (limit {limit})"
    if number <= limit:
        return Gate("storm", True, count)
    if len(census.bad_zones) == 1 and census.well_zones - census.bad_zones:
        return _one_zone(census.bad, next(iter(census.bad_zones)))
    return Gate("storm", False, f"{count}; `picoha release-storm` if it is one known cause", count)


def storm_count(situation: Situation) -> tuple[int, int]:
    """Return how many slots are bad or were replaced lately, and how many may be."""
    census = _census(situation)
    limit = max(
        situation.policy.storm_floor, -(-situation.policy.storm_percent * len(situation.seen.slots) // 100)
    )
    return len(census.bad) + census.replaced, limit


def _one_zone(bad: list[Situation], zone: str) -> Gate:
    """One at a time; `platform_first` sees to it that the Platform is the first."""
    if any(is_open(one.observed) for one in bad):
        return Gate("storm", False, f"zone {zone} alone is bad: one at a time, the Platform first")
    return Gate("storm", True, f"all in zone {zone} while another zone reports healthy")


@dataclass
class _Census:
    """The bad slots of a cell, how many others were replaced lately, and in which zones."""

    bad: list[Situation] = field(default_factory=list)
    replaced: int = 0
    bad_zones: set[str] = field(default_factory=set)
    well_zones: set[str] = field(default_factory=set)


def _census(situation: Situation) -> _Census:
    census = _Census()
    for observed in situation.seen.slots:
        other = Situation(situation.seen, observed, situation.policy)
        record = other.record
        op = record.operation
        is_replacing = op is not None and op.is_automatic and not other.is_parked_in_operation
        is_lost = record.phase is Phase.ACTIVE and signals.judge(other).life in signals.CONFIRMED
        victim = op.victim if op else record.holder
        host = other.host(victim)
        if is_replacing or is_lost:
            census.bad.append(other)
            census.bad_zones.add(host.zone if host else "unknown")
            continue
        if host is not None and signals.judge(other).life is signals.Life.WELL:
            census.well_zones.add(host.zone)
        if record.ended_at is not None and situation.now - record.ended_at < situation.policy.storm_memory:
            census.replaced += 1
            census.bad_zones.add(record.ended_zone or "unknown")
    return census
