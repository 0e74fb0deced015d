"""The gates that automatic taking must pass, each with its value and what would open it.

Defaults and reasons: design.md 6, safety.md 6.2. Giving passes those of GIVING only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from picoha.domain.judging import signals
from picoha.domain.model import Unknown
from picoha.domain.record import Mode, Phase, Step
from picoha.domain.situation import Case, is_active, is_open


@dataclass(frozen=True)
class Gate:
    """One gate as read now: its name, whether it lets a failover pass, and one sentence."""

    name: str
    is_open: bool
    sentence: str


def mode(case: Case) -> Gate:
    """Mode `enforce`, and the slot signed as fenceable by its owner."""
    if case.seen.mode.mode is not Mode.ENFORCE:
        return Gate("mode", False, "the cell is in observe; `picoha mode enforce` opens this")
    if not case.is_armed:
        return Gate("mode", False, "the slot's group has no tag picoha:fenceable=true")
    return Gate("mode", True, "enforce, and the slot is fenceable")


def pause(case: Case) -> Gate:
    """No pause on the slot or the cell; an expired pause still holds for `pause_observe`."""
    held = case.pause
    if held is None:
        return Gate("pause", True, "not paused")
    if case.now < held.until:
        return Gate("pause", False, f"paused by {held.by} until {held.until:%H:%M:%S} UTC: {held.reason}")
    soft = held.until + case.policy.pause_observe
    return Gate("pause", False, f"a pause ran out; observing until {soft:%H:%M:%S} UTC before enforcing")


def dependencies(case: Case) -> Gate:
    """Everything in picoha:depends-on is up; a replacement cannot help while it is not (M15)."""
    for name, is_up in case.sight.dependencies.items():
        if isinstance(is_up, Unknown):
            return Gate("dependencies", False, f"{name} could not be read: {is_up.reason}")
        if not is_up:
            return Gate("dependencies", False, f"{name} is down; no host can help until it is up")
    return Gate("dependencies", True, "all dependencies are up")


def platform_first(case: Case) -> Gate:
    """An execution slot waits until the Platform is active, and has been for `explained_for`."""
    platform = case.platform
    if case.is_platform or platform is None:
        return Gate("platform-first", True, "does not wait for the Platform")
    if not is_active(platform.record):
        return Gate("platform-first", False, f"{platform.sight.name} is {platform.record.phase}, not active")
    verdict = signals.judge(platform)
    # Behind an open gate its owners act, and custody follows what they do.
    if platform.record.is_armed and verdict.life in signals.CONFIRMED:
        return Gate("platform-first", False, f"{platform.sight.name} itself is lost or failed: {verdict.why}")
    return Gate("platform-first", True, f"{platform.sight.name} is active")


def well_since(platform: Case) -> datetime | None:
    """Since when the Platform is active and, by its own report, all its picos answer; None = not known."""
    report = platform.report(platform.record.holder)
    known = (platform.record.active_since, report and report.healthy_since)
    return max((at for at in known if at), default=None)


def explained(case: Case) -> Gate:
    """An EC whose picos fail while the Platform was away is given time to reconnect (domain.md M13).

    A host that is silent or gone is not explained by the Platform.
    """
    platform = case.platform
    has_only_failed = signals.judge(case).life is signals.Life.PICOS_FAILED
    if case.is_platform or platform is None or not has_only_failed:
        return Gate("explained", True, "not explained by the Platform")
    verdict = signals.judge(platform)
    if verdict.life not in (signals.Life.WELL, signals.Life.REACHED):
        return Gate("explained", False, f"explained by the Platform, which is not well: {verdict.why}")
    since = well_since(platform)
    if since is None:
        return Gate("explained", True, "not explained by the Platform")
    left = since + case.policy.explained_for - case.now
    if left > timedelta(0):
        text = f"explained by the Platform's outage for {left.total_seconds():.0f} s more"
        return Gate("explained", False, text)
    return Gate("explained", True, "the Platform has been active long enough")


def slot_order(case: Case) -> Gate:
    """Slots named in picoha:depends-on as `slot:` are active first."""
    spec = case.sight.spec
    for one in spec.depends_on if spec else ():
        if one.scheme != "slot":
            continue
        before = next((sight for sight in case.seen.slots if sight.name == one.target), None)
        if before is None or before.record is None or not is_active(before.record):
            return Gate("slot-order", False, f"slot {one.target} must be active first")
    return Gate("slot-order", True, "no other slot must come first")


def shape(case: Case) -> Gate:
    """The group has min = max = desired = 1, so that ending one host starts exactly one."""
    group = case.group
    if group is None:
        return Gate("shape", False, "the slot has no Auto Scaling group")
    if not group.is_singleton:
        sizes = f"{group.min_size}/{group.desired}/{group.max_size}"
        return Gate("shape", False, f"group {group.name} is min/desired/max {sizes}, not 1/1/1")
    return Gate("shape", True, "min = desired = max = 1")


def first_seen(case: Case) -> Gate:
    """A host younger than `first_seen_grace` is still booting (safety.md 6.2)."""
    host = case.host(case.record.holder)
    if host is None:
        return Gate("first-seen", True, "EC2 no longer shows the holder")
    left = host.launched_at + case.policy.first_seen_grace - case.now
    if left > timedelta(0):
        return Gate(
            "first-seen", False, f"{host.instance} is new; {left.total_seconds():.0f} s of grace left"
        )
    return Gate("first-seen", True, "the holder is no new host")


def planned_event(case: Case) -> Gate:
    """A planned AWS event on the host is given `planned_event_hold` to pass (a third actor)."""
    host = case.host(case.record.holder)
    if host is None or host.planned_event is None:
        return Gate("planned-event", True, "no planned AWS event")
    left = signals.heard_at(case) + case.policy.planned_event_hold - case.now
    if left > timedelta(0):
        return Gate(
            "planned-event", False, f"AWS plans {host.planned_event}; {left.total_seconds():.0f} s left"
        )
    return Gate("planned-event", True, f"AWS planned {host.planned_event}, but it lasts too long")


def cool_down(case: Case) -> Gate:
    """A slot rests for `cool_down` after an operation ended."""
    ended = case.record.ended_at
    left = ended + case.policy.cool_down - case.now if ended else timedelta(0)
    if left > timedelta(0):
        return Gate("cool-down", False, f"the last operation ended lately; {left.total_seconds():.0f} s left")
    return Gate("cool-down", True, "rested")


def brake(case: Case) -> Gate:
    """At most 2 automatic failovers a slot in 6 h, 3 a cell in 1 h, 6 a cell in 24 h."""
    if case.seen.brake.is_open:
        why = case.seen.brake.opened_because
        return Gate("brake", False, f"the breaker is open: {why}; `picoha close-breaker` closes it")
    over = brake_limit(case)
    return Gate("brake", over is None, over or "within the limits")


def brake_limit(case: Case) -> str | None:
    """Return the limit that one more automatic failover would break, or None."""
    policy, admitted = case.policy, case.seen.brake.admitted
    every = [at for times in admitted.values() for at in times]
    limits = (
        (admitted.get(case.sight.name, ()), policy.brake_slot_window, policy.brake_slot, "of this slot"),
        (every, timedelta(hours=1), policy.brake_hour, "of this cell"),
        (every, timedelta(hours=24), policy.brake_day, "of this cell"),
    )
    for times, window, most, of_what in limits:
        count = sum(case.now - at < window for at in times)
        if count >= most:
            hours = window.total_seconds() / 3600
            return f"{count} automatic failovers {of_what} in {hours:.0f} h (limit {most})"
    return None


def in_flight(case: Case) -> Gate:
    """One execution failover at a time in a cell; the Platform has its own lane."""
    if case.is_platform:
        return Gate("in-flight", True, "the Platform has its own lane")
    others = _busy(case)
    if len(others) >= case.policy.executions_in_flight:
        return Gate("in-flight", False, f"{', '.join(others)} is failing over; one at a time")
    return Gate("in-flight", True, "no other execution slot is failing over")


def busy_count(case: Case) -> int:
    """Return how many other execution slots are failing over now."""
    return len(_busy(case))


def _busy(case: Case) -> list[str]:
    return [one.name for one in case.seen.slots if one.name != case.sight.name and _is_busy(case, one.name)]


def _is_busy(case: Case, name: str) -> bool:
    other = Case(case.seen, next(one for one in case.seen.slots if one.name == name), case.policy)
    op = other.operation
    is_ours = is_open(other.sight) and not other.is_platform and not other.is_parked_in_operation
    return is_ours and op is not None and op.is_automatic


def storm(case: Case) -> Gate:
    """Too many bad slots at once is one cause, not many: hold, unless it is one zone's trouble."""
    released = case.seen.brake.storm_released_until
    if released and case.now < released:
        return Gate("storm", True, f"released by an operator until {released:%H:%M:%S} UTC")
    census = _census(case)
    number, limit = storm_count(case)
    count = f"{number} of {len(case.seen.slots)} slots bad or replaced lately (limit {limit})"
    if number <= limit:
        return Gate("storm", True, count)
    if len(census.bad_zones) == 1 and census.well_zones - census.bad_zones:
        return _one_zone(census.bad, next(iter(census.bad_zones)))
    return Gate("storm", False, f"{count}; `picoha release-storm` if it is one known cause")


def storm_count(case: Case) -> tuple[int, int]:
    """Return how many slots are bad or were replaced lately, and how many may be."""
    census = _census(case)
    limit = max(case.policy.storm_floor, -(-case.policy.storm_percent * len(case.seen.slots) // 100))
    return len(census.bad) + census.replaced, limit


def _one_zone(bad: list[Case], zone: str) -> Gate:
    """One at a time; `platform_first` sees to it that the Platform is the first."""
    if any(is_open(one.sight) for one in bad):
        return Gate("storm", False, f"zone {zone} alone is bad: one at a time, the Platform first")
    return Gate("storm", True, f"all in zone {zone} while another zone reports healthy")


@dataclass
class _Census:
    """The bad slots of a cell, how many others were replaced lately, and in which zones."""

    bad: list[Case] = field(default_factory=list)
    replaced: int = 0
    bad_zones: set[str] = field(default_factory=set)
    well_zones: set[str] = field(default_factory=set)


def _census(case: Case) -> _Census:
    census = _Census()
    for sight in case.seen.slots:
        other = Case(case.seen, sight, case.policy)
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
        if record.ended_at is not None and case.now - record.ended_at < case.policy.storm_memory:
            census.replaced += 1
            census.bad_zones.add(record.ended_zone or "unknown")
    return census


GIVING: tuple[Callable[[Case], Gate], ...] = (pause, dependencies, platform_first, slot_order)
"""What even giving must pass: nothing new opens in a pause, dependencies and order hold."""

TAKING: tuple[Callable[[Case], Gate], ...] = (
    mode,
    pause,
    dependencies,
    platform_first,
    explained,
    slot_order,
    shape,
    first_seen,
    planned_event,
    in_flight,
    storm,
    cool_down,
    brake,
)
"""All gates of an automatic failover, in the order in which `why` shows them."""


def first_closed(case: Case, gates: tuple[Callable[[Case], Gate], ...]) -> Gate | None:
    """Return the first closed gate, or None when all are open."""
    return next((gate for check in gates if not (gate := check(case)).is_open), None)


def needs_operator(case: Case) -> bool:
    """True while the slot's operation waits for a human."""
    op = case.operation
    return op is not None and op.step is Step.NEEDS_OPERATOR
