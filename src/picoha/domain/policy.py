"""Every number with a unit, with its default and its bounds (design.md 5 and 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


def _seconds(default: int, least: int, most: int) -> timedelta:
    bounds = {"min": least, "max": most}
    value: timedelta = field(default=timedelta(seconds=default), metadata=bounds)
    return value


def _count(default: int, least: int, most: int) -> int:
    value: int = field(default=default, metadata={"min": least, "max": most})
    return value


@dataclass(frozen=True)
class Policy:
    """How long to wait and how often to act; times in seconds in settings, `timedelta` here."""

    # Confirmation: the age of the newest good sign (design.md 5; settable 30 to 600 s).
    silent_impaired_after: timedelta = _seconds(30, 30, 600)
    silent_unreachable_after: timedelta = _seconds(45, 30, 600)
    silent_after: timedelta = _seconds(90, 30, 600)
    silent_alone_after: timedelta = _seconds(180, 30, 600)
    failed_samples: int = _count(3, 2, 30)
    reboot_grace: timedelta = _seconds(300, 60, 1800)
    fresh_within: timedelta = _seconds(30, 20, 180)
    canary_within: timedelta = _seconds(60, 30, 300)
    tick_within: timedelta = _seconds(150, 90, 600)
    hold_page_after: timedelta = _seconds(300, 60, 3600)
    page_repeat_after: timedelta = _seconds(1800, 300, 86400)

    # Restart in place first (design.md 6; SUSE's migration-threshold is 3).
    restarts: int = _count(3, 0, 10)
    restart_window: timedelta = _seconds(3600, 600, 86400)
    restart_allowance: timedelta = _seconds(360, 60, 3600)

    # Gates that apply to automatic taking only (design.md 6).
    cool_down: timedelta = _seconds(1800, 0, 86400)
    first_seen_grace: timedelta = _seconds(600, 0, 3600)
    planned_event_hold: timedelta = _seconds(600, 0, 3600)
    brake_slot: int = _count(2, 1, 20)
    brake_slot_window: timedelta = _seconds(6 * 3600, 3600, 7 * 86400)
    brake_hour: int = _count(3, 1, 50)
    brake_day: int = _count(6, 1, 100)
    storm_floor: int = _count(2, 1, 50)
    storm_percent: int = _count(34, 1, 100)
    storm_memory: timedelta = _seconds(1800, 60, 86400)
    executions_in_flight: int = _count(1, 1, 10)

    # One operation (design.md 6; safety.md 5).
    resend_after: timedelta = _seconds(15, 5, 120)
    force_fence_after: timedelta = _seconds(120, 30, 1800)
    fence_deadline: timedelta = _seconds(600, 120, 7200)
    host_deadline: timedelta = _seconds(900, 120, 7200)
    address_deadline: timedelta = _seconds(300, 60, 3600)
    release_deadline: timedelta = _seconds(300, 60, 3600)
    drain_deadline: timedelta = _seconds(300, 30, 3600)
    start_per_pico: timedelta = _seconds(360, 60, 3600)
    start_margin: timedelta = _seconds(120, 0, 3600)
    healthy_for: timedelta = _seconds(60, 10, 600)
    bad_replacements: int = _count(2, 0, 10)
    explained_for: timedelta = _seconds(300, 0, 3600)
    pause_observe: timedelta = _seconds(600, 0, 3600)
    confirm_silence: timedelta = _seconds(600, 60, 86400)

    request_expires: timedelta = _seconds(600, 60, 3600)

    # The launch hook `picoha-launch` (AWS: lifecycle hooks; heartbeat 30 to 7,200 s).
    hook_heartbeat: timedelta = _seconds(900, 30, 7200)
