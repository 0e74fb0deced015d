"""What an examination of a cell found, and what that means for a command's exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from picoha.domain.doctor.facts import GroupFacts


class Level(StrEnum):
    """How much a finding matters: `error` = a failover would fail or must not be trusted."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"


Row = tuple[Level, str, str, str]
"""A finding without its check: level, subject, sentence, the command that mends it."""


def grave(group: GroupFacts) -> Level:
    """Return how much a fault in the way of a slot's fence matters (design.md 3)."""
    return Level.ERROR if group.is_fenceable else Level.WARN


@dataclass(frozen=True)
class Finding:
    """One answer of one check.

    `id` names the check, `subject` the slot, host or thing (empty = the cell), `sentence` what is
    and why it matters, `mend` the command that mends it (empty where nothing is wrong).
    `is_unseen` tells that the check could not look: such a finding is a `warn`, never an `ok`.
    """

    id: str
    level: Level
    subject: str
    sentence: str
    mend: str = ""
    is_unseen: bool = False


def errors(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what forbids `enforce` (design.md 6)."""
    return tuple(one for one in found if one.level is Level.ERROR)


def exit_code(found: Iterable[Finding]) -> int:
    """Return 1 when anything is an error, else 3 when anything could not be looked at, else 0."""
    found = tuple(found)
    if errors(found):
        return 1
    return 3 if any(one.is_unseen for one in found) else 0
