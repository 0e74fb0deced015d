"""The numbers of design.md 5 and 6: their defaults, and that each is inside its own bounds."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import timedelta

import pytest

from picoha.domain.policy import Policy

DEFAULTS = {
    "silent_impaired_after": 30,
    "silent_unreachable_after": 45,
    "silent_after": 90,
    "silent_alone_after": 180,
    "reboot_grace": 5 * 60,
    "canary_within": 60,
    "hold_page_after": 5 * 60,
    "page_repeat_after": 30 * 60,
    "restart_window": 60 * 60,
    "cool_down": 30 * 60,
    "first_seen_grace": 10 * 60,
    "planned_event_hold": 10 * 60,
    "brake_slot_window": 6 * 60 * 60,
    "storm_memory": 30 * 60,
    "resend_after": 15,
    "drain_deadline": 5 * 60,
    "start_per_pico": 360,
    "start_margin": 120,
    "healthy_for": 60,
    "explained_for": 5 * 60,
    "pause_observe": 10 * 60,
    "confirm_silence": 10 * 60,
    "hook_heartbeat": 900,
}
COUNTS = {
    "failed_samples": 3,
    "restarts": 3,
    "brake_slot": 2,
    "brake_hour": 3,
    "brake_day": 6,
    "storm_floor": 2,
    "storm_percent": 34,
    "executions_in_flight": 1,
    "bad_replacements": 2,
}


@pytest.mark.parametrize(("name", "seconds"), DEFAULTS.items())
def test_a_wait_has_the_default_of_the_design(name: str, seconds: int) -> None:
    assert getattr(Policy(), name) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_a_limit_has_the_default_of_the_design(name: str, count: int) -> None:
    assert getattr(Policy(), name) == count


@pytest.mark.parametrize("field", fields(Policy), ids=lambda one: one.name)
def test_every_default_is_inside_its_bounds(field: object) -> None:
    name, bounds = field.name, field.metadata  # type: ignore[attr-defined]  # dataclasses.Field, as fields() says
    value = getattr(Policy(), name)
    number = value.total_seconds() if isinstance(value, timedelta) else value
    assert bounds["min"] <= number <= bounds["max"]


@pytest.mark.parametrize(
    "name", ["silent_impaired_after", "silent_unreachable_after", "silent_after", "silent_alone_after"]
)
def test_confirmation_is_settable_from_30_to_600_s(name: str) -> None:
    bounds = next(field.metadata for field in fields(Policy) if field.name == name)
    assert (bounds["min"], bounds["max"]) == (30, 600)


def test_a_policy_is_a_value() -> None:
    with pytest.raises(FrozenInstanceError):
        Policy().restarts = 9  # type: ignore[misc]  # what must fail
