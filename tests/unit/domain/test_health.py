"""Judging the monitor's exit codes: vectors R1 to R6, R9 and R12 of domain.md 8.2.

R7, R8, R10 and R11, and R6 and R12 on real processes, are in the tests of the host's probe.
"""

from __future__ import annotations

import signal

import pytest

from picoha.domain.health import (
    TIMED_OUT,
    Health,
    Profile,
    datapoint,
    effective_interval,
    judge,
    overall,
)


def test_r1_110_is_healthy() -> None:
    assert judge(110)[0] is Health.HEALTHY
    assert datapoint(Health.HEALTHY) == 1.0


def test_r2_100_is_failed() -> None:
    assert judge(100)[0] is Health.FAILED
    assert datapoint(Health.FAILED) == 0.0


@pytest.mark.parametrize("code", range(101, 110))
def test_r3_101_to_109_is_online_and_counts_as_a_sign_of_life(code: int) -> None:
    health, reason = judge(code)
    assert health is Health.ONLINE and health.is_good
    assert f"{(code - 100) * 10} % confidence" in reason
    assert datapoint(health) == 1.0


def test_r4_0_is_not_healthy_unless_the_site_says_so() -> None:
    assert judge(0)[0] is Health.UNKNOWN
    assert judge(0, Profile.POSIX)[0] is Health.HEALTHY
    assert judge(1, Profile.POSIX)[0] is Health.FAILED
    assert judge(1)[0] is Health.UNKNOWN


def test_r4_posix_sites_still_understand_the_vendors_codes() -> None:
    assert judge(110, Profile.POSIX)[0] is Health.HEALTHY
    assert judge(100, Profile.POSIX)[0] is Health.FAILED
    assert judge(2, Profile.POSIX)[0] is Health.UNKNOWN


@pytest.mark.parametrize("code", [99, 111, 127, 200, 255, -signal.SIGKILL])
def test_r5_any_other_code_is_unknown_with_its_own_reason(code: int) -> None:
    health, reason = judge(code)
    assert health is Health.UNKNOWN
    assert str(abs(code)) in reason
    assert datapoint(health) is None


def test_r6_no_answer_in_time_is_failed() -> None:
    assert judge(None) == (Health.FAILED, TIMED_OUT)
    assert judge(None, Profile.POSIX) == (Health.FAILED, TIMED_OUT)


@pytest.mark.parametrize(("configured", "used"), [(10, 40), (39, 40), (40, 40), (90, 90)])
def test_r9_interval_below_40_is_used_as_40(configured: int, used: int) -> None:
    assert effective_interval(configured) == used


def test_host_is_as_well_as_its_worst_pico_and_failed_is_worse_than_unknown() -> None:
    good, online, failed, unknown = Health.HEALTHY, Health.ONLINE, Health.FAILED, Health.UNKNOWN
    assert overall([good, good]) is good
    assert overall([good, online]) is online
    assert overall([good, unknown]) is unknown
    assert overall([failed, unknown, good]) is failed


def test_host_without_picos_is_unknown_and_publishes_nothing() -> None:
    assert overall([]) is Health.UNKNOWN
    assert datapoint(overall([])) is None
