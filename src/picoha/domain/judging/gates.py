"""The gates that automatic taking must pass, each with its value and what would open it.

Defaults and reasons: design.md 6, safety.md 6.2. Giving passes those of GIVING only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from picoha.domain.judging import signals
from picoha.domain.judging.gate import Gate
from picoha.domain.judging.storm import storm
from picoha.domain.model import Unknown
from picoha.domain.observation import is_open
from picoha.domain.record import Mode
from picoha.domain.situation import Situation, is_active


def mode(situation: Situation) -> Gate:
    """Mode `enforce`, and the slot signed as fenceable by its owner."""
    if situation.seen.mode.mode is not Mode.ENFORCE:
        return Gate("mode", False, "the cell is in observe; `picoha mode enforce` opens this")
    if not situation.is_armed:
        return Gate("mode", False, "the slot's group has no tag picoha:fenceable=true")
    return Gate("mode", True, "enforce, and the slot is fenceable")


def pause(situation: Situation) -> Gate:
    """No pause on the slot or the cell; an expired pause still holds for `pause_observe`."""
    held = situation.pause
    if held is None:
        return Gate("pause", True, "not paused")
    if situation.now < held.until:
        return Gate("pause", False, f"paused by {held.by} until {held.until:%H:%M:%S} UTC: {held.reason}")
    soft = held.until + situation.policy.pause_observe
    return Gate("pause", False, f"a pause ran out; observing until {soft:%H:%M:%S} UTC before enforcing")


def dependencies(situation: Situation) -> Gate:
    """Everything in picoha:depends-on is up; a replacement cannot help while it is not (M15)."""
    for name, is_up in situation.observed.dependencies.items():
        if isinstance(is_up, Unknown):
            return Gate("dependencies", False, f"{name} could not be read: {is_up.reason}")
        if not is_up:
            return Gate("dependencies", False, f"{name} is down; no host can help until it is up")
    return Gate("dependencies", True, "all dependencies are up")


def platform_first(situation: Situation) -> Gate:
    """An execution slot waits until the Platform is active, and has been for `explained_for`."""
    platform = situation.platform
    if situation.is_platform or platform is None:
        return Gate("platform-first", True, "does not wait for the Platform")
    if not is_active(platform.record):
        return Gate(
            "platform-first", False, f"{platform.observed.name} is {platform.record.phase}, not active"
        )
    verdict = signals.judge(platform)
    # Behind an open gate its owners act, and custody follows what they do.
    if platform.record.is_armed and verdict.life in signals.CONFIRMED:
        return Gate(
            "platform-first", False, f"{platform.observed.name} itself is lost or failed: {verdict.why}"
        )
    return Gate("platform-first", True, f"{platform.observed.name} is active")


def well_since(platform: Situation) -> datetime | None:
    """Since when the Platform is active and, by its own report, all its picos answer; None = not known."""
    report = platform.report(platform.record.holder)
    known = (platform.record.active_since, report and report.healthy_since)
    return max((at for at in known if at), default=None)


def explained(situation: Situation) -> Gate:
    """An EC whose picos fail while the Platform was away is given time to reconnect (domain.md M13).

    A host that is silent or gone is not explained by the Platform.
    """
    platform = situation.platform
    has_only_failed = signals.judge(situation).life is signals.Life.PICOS_FAILED
    if situation.is_platform or platform is None or not has_only_failed:
        return Gate("explained", True, "not explained by the Platform")
    verdict = signals.judge(platform)
    if verdict.life not in (signals.Life.WELL, signals.Life.REACHED):
        return Gate("explained", False, f"explained by the Platform, which is not well: {verdict.why}")
    since = well_since(platform)
    if since is None:
        return Gate("explained", True, "not explained by the Platform")
    left = since + situation.policy.explained_for - situation.now
    if left > timedelta(0):
        text = f"explained by the Platform's outage for {left.total_seconds():.0f} s more"
        return Gate("explained", False, text)
    return Gate("explained", True, "the Platform has been active long enough")


def slot_order(situation: Situation) -> Gate:
    """Slots named in picoha:depends-on as `slot:` are active first."""
    spec = situation.observed.spec
    for dependency in spec.depends_on if spec else ():
        if dependency.scheme != "slot":
            continue
        before = next(
            (observed for observed in situation.seen.slots if observed.name == dependency.target), None
        )
        if before is None or before.record is None or not is_active(before.record):
            return Gate("slot-order", False, f"slot {dependency.target} must be active first")
    return Gate("slot-order", True, "no other slot must come first")


def shape(situation: Situation) -> Gate:
    """The group has min = max = desired = 1, so that ending one host starts exactly one."""
    group = situation.group
    if group is None:
        return Gate("shape", False, "the slot has no Auto Scaling group")
    if not group.is_singleton:
        sizes = f"{group.min_size}/{group.desired}/{group.max_size}"
        return Gate("shape", False, f"group {group.name} is min/desired/max {sizes}, not 1/1/1")
    return Gate("shape", True, "min = desired = max = 1")


def first_seen(situation: Situation) -> Gate:
    """A host younger than `first_seen_grace` is still booting (safety.md 6.2)."""
    host = situation.host(situation.record.holder)
    if host is None:
        return Gate("first-seen", True, "EC2 no longer shows the holder")
    left = host.launched_at + situation.policy.first_seen_grace - situation.now
    if left > timedelta(0):
        return Gate(
            "first-seen", False, f"{host.instance} is new; {left.total_seconds():.0f} s of grace left"
        )
    return Gate("first-seen", True, "the holder is no new host")


def planned_event(situation: Situation) -> Gate:
    """A planned AWS event on the host is given `planned_event_hold` to pass (a third actor)."""
    host = situation.host(situation.record.holder)
    if host is None or host.planned_event is None:
        return Gate("planned-event", True, "no planned AWS event")
    left = signals.heard_at(situation) + situation.policy.planned_event_hold - situation.now
    if left > timedelta(0):
        return Gate(
            "planned-event", False, f"AWS plans {host.planned_event}; {left.total_seconds():.0f} s left"
        )
    return Gate("planned-event", True, f"AWS planned {host.planned_event}, but it lasts too long")


def cool_down(situation: Situation) -> Gate:
    """A slot rests for `cool_down` after an operation ended."""
    ended = situation.record.ended_at
    left = ended + situation.policy.cool_down - situation.now if ended else timedelta(0)
    if left > timedelta(0):
        return Gate("cool-down", False, f"the last operation ended lately; {left.total_seconds():.0f} s left")
    return Gate("cool-down", True, "rested")


def brake(situation: Situation) -> Gate:
    """At most 2 automatic failovers a slot in 6 h, 3 a cell in 1 h, 6 a cell in 24 h."""
    if situation.seen.brake.is_open:
        why = situation.seen.brake.opened_because
        return Gate("brake", False, f"the breaker is open: {why}; `picoha close-breaker` closes it")
    over = brake_limit(situation)
    return Gate("brake", over is None, over or "within the limits")


def brake_limit(situation: Situation) -> str | None:
    """Return the limit that one more automatic failover would break, or None."""
    policy, admitted = situation.policy, situation.seen.brake.admitted
    every = [at for times in admitted.values() for at in times]
    limits = (
        (
            admitted.get(situation.observed.name, ()),
            policy.brake_slot_window,
            policy.brake_slot,
            "of this slot",
        ),
        (every, timedelta(hours=1), policy.brake_hour, "of this cell"),
        (every, timedelta(hours=24), policy.brake_day, "of this cell"),
    )
    for times, window, most, of_what in limits:
        count = sum(situation.now - at < window for at in times)
        if count >= most:
            hours = window.total_seconds() / 3600
            return f"{count} automatic failovers {of_what} in {hours:.0f} h (limit {most})"
    return None


def in_flight(situation: Situation) -> Gate:
    """One execution failover at a time in a cell; the Platform has its own lane."""
    if situation.is_platform:
        return Gate("in-flight", True, "the Platform has its own lane")
    others = _busy(situation)
    if len(others) >= situation.policy.executions_in_flight:
        return Gate("in-flight", False, f"{', '.join(others)} is failing over; one at a time")
    return Gate("in-flight", True, "no other execution slot is failing over")


def busy_count(situation: Situation) -> int:
    """Return how many other execution slots are failing over now."""
    return len(_busy(situation))


def _busy(situation: Situation) -> list[str]:
    return [
        slot.name
        for slot in situation.seen.slots
        if slot.name != situation.observed.name and _is_busy(situation, slot.name)
    ]


def _is_busy(situation: Situation, name: str) -> bool:
    other = Situation(
        situation.seen, next(slot for slot in situation.seen.slots if slot.name == name), situation.policy
    )
    op = other.operation
    is_ours = is_open(other.observed) and not other.is_platform and not other.is_parked_in_operation
    return is_ours and op is not None and op.is_automatic


GIVING: tuple[Callable[[Situation], Gate], ...] = (pause, dependencies, platform_first, slot_order)
"""What even giving must pass: nothing new opens in a pause, dependencies and order hold."""

TAKING: tuple[Callable[[Situation], Gate], ...] = (
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


def first_closed(situation: Situation, gates: tuple[Callable[[Situation], Gate], ...]) -> Gate | None:
    """Return the first closed gate, or None when all are open."""
    return next((gate for check in gates if not (gate := check(situation)).is_open), None)


OPENS = {
    "mode": "`picoha mode enforce`, and the tag picoha:fenceable=true on the group",
    "pause": "`picoha resume`, or its end",
    "dependencies": "every dependency up and readable",
    "platform-first": "the Platform active",
    "explained": "time; or the EC reconnects by itself",
    "slot-order": "the slot named first active",
    "shape": "the group at min = desired = max = 1",
    "first-seen": "time; `picoha failover --force` does not wait",
    "planned-event": "time; `picoha failover --force` does not wait",
    "in-flight": "the end of the other failover",
    "storm": "fewer bad slots, or `picoha release-storm`",
    "cool-down": "time; `picoha failover --force` does not wait",
    "brake": "`picoha close-breaker`, or the window passes",
}
"""What opens each gate of `gates.TAKING`."""
