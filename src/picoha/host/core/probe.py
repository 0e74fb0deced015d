"""Ask the picos how they are, and keep count of what the answers add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from picoha.domain.health import Health, Profile, judge, overall
from picoha.domain.model import Pico, PicoReading
from picoha.host.core.ports import Scripts

NO_PORT = "configuration: mz.ha.port is not set for this pico"
NOT_ASKED = "the probe did not ask this pico"


def ask(scripts: Scripts, picos: Sequence[Pico], profile: Profile) -> dict[str, PicoReading]:
    """Return one judged reading per pico; a pico without a port is unknown, never failed (R7)."""
    askable = [pico for pico in picos if pico.port > 0]
    codes = scripts.monitor_all(askable) if askable else {}
    return {pico.name: _reading(pico, codes, profile) for pico in picos}


def _reading(pico: Pico, codes: Mapping[str, int | None], profile: Profile) -> PicoReading:
    if pico.port <= 0:
        return PicoReading(Health.UNKNOWN, None, NO_PORT)
    if pico.name not in codes:
        return PicoReading(Health.UNKNOWN, None, NOT_ASKED)
    health, reason = judge(codes[pico.name], profile)
    return PicoReading(health, codes[pico.name], reason)


@dataclass(frozen=True)
class Tally:
    """What the samples of one boot add up to.

    `failed_samples` counts failed looks in a row. An unknown look, or one while the picos are not
    expected to be up, neither counts nor resets.
    """

    failed_samples: int = 0
    healthy_since: datetime | None = None
    unknown_since: datetime | None = None

    def after(self, health: Health, at: datetime, counts: bool) -> Tally:
        """Return the tally after one more look."""
        failed = self.failed_samples + (1 if counts and health is Health.FAILED else 0)
        return Tally(
            0 if health.is_good else failed,
            (self.healthy_since or at) if health.is_good else None,
            (self.unknown_since or at) if health is Health.UNKNOWN else None,
        )


def health_of(picos: Mapping[str, PicoReading]) -> Health:
    """Return the health of the host; no readings at all is unknown."""
    return overall(pico.health for pico in picos.values())
