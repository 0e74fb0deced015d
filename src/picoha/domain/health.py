"""What an answer of the vendor's `monitor` script means (domain.md 2.2, vectors R1 to R12)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

MINIMUM_INTERVAL_S = 40
"""`mz.ha.interval` below this is used as this (domain.md 2.1, R9)."""


class Health(StrEnum):
    """A judged answer. ONLINE is 101 to 109: up, with less than full confidence."""

    HEALTHY = "healthy"
    ONLINE = "online"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_good(self) -> bool:
        """True for an answer that counts as a sign of life."""
        return self in (Health.HEALTHY, Health.ONLINE)


class Profile(StrEnum):
    """Which exit codes a site's script uses: the vendor's, or plain 0/1 (InfoScale style)."""

    VENDOR = "vendor"
    POSIX = "posix"


TIMED_OUT = "no answer within the time limit"


def judge(code: int | None, profile: Profile = Profile.VENDOR) -> tuple[Health, str]:
    """Return the health and the reason for an exit code; None means the script timed out.

    110 is healthy and non-zero: never use "exit code is not 0" (domain.md T1). Only 100 and
    silence are failures; whatever the vendor's script never returns is unknown (R4, R5).
    """
    if code is None:
        return Health.FAILED, TIMED_OUT
    if profile is Profile.POSIX and code in (0, 1):
        return (Health.HEALTHY, "exit code 0") if code == 0 else (Health.FAILED, "exit code 1")
    if code == 110:
        return Health.HEALTHY, "exit code 110"
    if 101 <= code <= 109:
        return Health.ONLINE, f"exit code {code}: online with {(code - 100) * 10} % confidence"
    if code == 100:
        return Health.FAILED, "exit code 100"
    if code < 0:
        return Health.UNKNOWN, f"ended by signal {-code}"
    return Health.UNKNOWN, f"exit code {code} is none of 100 to 110"


def overall(healths: Iterable[Health]) -> Health:
    """Return the health of a host: failed wins over unknown, unknown over good, none is unknown."""
    seen = set(healths)
    for worst in (Health.FAILED, Health.UNKNOWN, Health.ONLINE, Health.HEALTHY):
        if worst in seen:
            return worst
    return Health.UNKNOWN


def datapoint(health: Health) -> float | None:
    """Return the value of the `Healthy` metric: 1 good, 0 failed, None = publish nothing."""
    if health is Health.UNKNOWN:
        return None
    return 1.0 if health.is_good else 0.0


def effective_interval(configured_s: int) -> int:
    """Return the seconds the product's HA monitor really uses for its counters (R9)."""
    return max(configured_s, MINIMUM_INTERVAL_S)
