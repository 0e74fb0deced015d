"""Is the holder alive? Confirmation by the age of the newest good sign (design.md 5).

The holder's metric and its report come from one process, so they are one witness. EC2, the
execution agents' connections to the Platform, and the canary are the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from picoha.domain.model import GOING_OR_GONE, Host, Report, Sample, Unknown
from picoha.domain.record import Phase
from picoha.domain.situation import Situation, is_active


class Life(StrEnum):
    """The verdict on a holder."""

    WELL = "well"
    SUSPECT = "suspect"
    LEAVING = "leaving"
    UNSURE = "unsure"
    REACHED = "reached"
    NO_CANARY = "no-canary"
    PICOS_FAILED = "picos-failed"
    LOST = "lost"


CONFIRMED = frozenset({Life.PICOS_FAILED, Life.LOST})


@dataclass(frozen=True)
class Verdict:
    """A judged holder: the verdict, one clause for people, and when to look again (seconds)."""

    life: Life
    why: str
    look_again_s: float | None = None


def judge(situation: Situation) -> Verdict:
    """Return the verdict on the recorded holder of a slot; rows in the order of design.md 5."""
    holder = situation.record.holder
    host = situation.host(holder)
    if situation.holder_is_proven_off:
        return Verdict(Life.LOST, "it is proven off")
    if host is not None and host.state in GOING_OR_GONE:
        return Verdict(Life.LOST, f"EC2 says it is {host.state}")
    if isinstance(situation.observed.metric, Unknown):
        return Verdict(Life.UNSURE, f"the metric could not be read: {situation.observed.metric.reason}")
    report = situation.report(holder)
    leaving = _leaving(situation, report)
    if leaving is not None:
        return leaving
    quiet = situation.now - heard_at(situation)
    if quiet < -situation.policy.fresh_within:
        ahead = -quiet.total_seconds()
        return Verdict(Life.UNSURE, f"its newest sign is dated {ahead:.0f} s ahead: a clock is wrong")
    fresh_for = situation.fresh_for(report)
    if quiet > fresh_for:
        return _silent(situation, host)
    verdict = _heard(situation, report)
    if verdict.life is Life.WELL and quiet > fresh_for / 2:
        return Verdict(Life.SUSPECT, f"quiet for {quiet.total_seconds():.0f} s", 5.0)
    return verdict


def heard_at(situation: Situation) -> datetime:
    """When the holder last gave any sign: a report or a datapoint, whichever is newer."""
    report = situation.report(situation.record.holder)
    signs = [situation.record.active_since] if situation.record.active_since else []
    if report:
        signs.append(report.at)
    if isinstance(situation.observed.metric, Sample):
        signs.append(situation.observed.metric.at)
    return max(signs, default=situation.now)


def _leaving(situation: Situation, report: Report | None) -> Verdict | None:
    if report is None or report.leaving_at is None:
        return None
    # Subtracted in this order nothing overflows, whatever a host writes.
    since = situation.now - report.leaving_at
    left = situation.policy.reboot_grace - since
    if left <= timedelta(0) or since < -situation.policy.fresh_within:
        return None
    why = f"it reported an orderly shutdown; {left.total_seconds():.0f} s of reboot grace left"
    return Verdict(Life.LEAVING, why)


def _heard(situation: Situation, report: Report | None) -> Verdict:
    fresh = situation.fresh_report(situation.record.holder)
    sample = situation.observed.metric
    if fresh is None:
        is_good = isinstance(sample, Sample) and sample.value >= 1
        if is_good:
            return Verdict(Life.WELL, "its metric is good")
        return Verdict(
            Life.UNSURE, f"its metric says failed and its report is {'old' if report else 'missing'}"
        )
    if fresh.failed_samples >= situation.policy.failed_samples:
        return Verdict(Life.PICOS_FAILED, f"{fresh.failed_samples} failed samples in a row: {_failed(fresh)}")
    # An unknown look neither counts nor resets, so a monitor that broke meanwhile may never count again.
    if fresh.failed_samples > 0 and fresh.unknown_since is None:
        return Verdict(Life.SUSPECT, f"{fresh.failed_samples} failed samples: {_failed(fresh)}", 5.0)
    if fresh.is_healthy:
        return Verdict(Life.WELL, "all picos answer")
    return Verdict(Life.UNSURE, f"its monitor gives no clear answer: {_failed(fresh) or fresh.phase}")


def _failed(report: Report) -> str:
    bad = [f"{name} {one.reason}" for name, one in report.picos.items() if not one.health.is_good]
    return ", ".join(bad) or report.problem


def _silent(situation: Situation, host: Host | None) -> Verdict:
    silence = situation.now - heard_at(situation)
    for_s = f"silent for {silence.total_seconds():.0f} s"
    if host is not None and isinstance(host.is_impaired, Unknown):
        why = f"{for_s}, and its status checks could not be read: {host.is_impaired.reason}"
        return Verdict(Life.UNSURE, why)
    limit, because = _limit(situation, host)
    if limit is None:
        return Verdict(Life.REACHED, f"{for_s}, but {because}: its agent is broken, the Platform is not lost")
    limit = max(limit, situation.fresh_for(situation.report(situation.record.holder)))
    if silence < limit:
        left = (limit - silence).total_seconds()
        return Verdict(Life.SUSPECT, f"{for_s} of {limit.total_seconds():.0f} s ({because})", max(1.0, left))
    canary = canary_problem(situation)
    if canary:
        return Verdict(Life.NO_CANARY, f"{for_s}, but {canary}")
    return Verdict(Life.LOST, f"{for_s}, {because}")


def _limit(situation: Situation, host: Host | None) -> tuple[timedelta | None, str]:
    """Return how long silence must last, and why; None = never (a witness reaches the Platform)."""
    policy = situation.policy
    reached, refused = witnesses(situation)
    if reached:
        return None, f"{', '.join(reached)} still connects to it"
    limit, because = _limit_by_witness(situation, refused)
    if host is not None and host.is_impaired is True:
        return min(limit, policy.silent_impaired_after), "EC2 reports it impaired"
    return limit, because


def _limit_by_witness(situation: Situation, refused: tuple[str, ...]) -> tuple[timedelta, str]:
    policy = situation.policy
    if not situation.is_platform:
        return policy.silent_after, "an execution host"
    if refused:
        return policy.silent_unreachable_after, f"{', '.join(refused)} cannot connect to it"
    if any(observed.name != situation.observed.name for observed in situation.seen.slots):
        return policy.silent_after, "no fresh witness"
    return policy.silent_alone_after, "no witness in this cell"


def witnesses(situation: Situation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the slots whose fresh report connects to the Platform, and those whose does not."""
    if not situation.is_platform:
        return (), ()
    reached: list[str] = []
    refused: list[str] = []
    for observed in situation.seen.slots:
        other = Situation(situation.seen, observed, situation.policy)
        for instance, told in observed.reports.items():
            # A witness with a fast clock may be believed where it keeps the Platform, not where it takes it.
            is_ahead = told.at > situation.now and bool(told.reaches_platform)
            report = told if is_ahead else other.fresh_report(instance)
            # So is one that looks seldom: what it could not reach a minute ago says nothing of now.
            is_old = (
                not situation.is_recent(told.at, situation.policy.fresh_within) and not told.reaches_platform
            )
            if (
                observed.name == situation.observed.name
                or report is None
                or report.reaches_platform is None
                or is_old
            ):
                continue
            (reached if report.reaches_platform else refused).append(observed.name)
    return tuple(dict.fromkeys(reached)), tuple(dict.fromkeys(refused))


def canary_problem(situation: Situation) -> str:
    """Return why the metric pipeline cannot be trusted now, or "" when the canary lives.

    The canary is another holder's datapoint; with no other holder, the controller's own `Tick`.
    """
    others = [
        observed
        for observed in situation.seen.slots
        if observed.name != situation.observed.name
        and observed.record
        and observed.record.phase is not Phase.VACANT
    ]
    watched = [other for other in others if other.record and is_active(other.record)]
    if not watched:
        tick = situation.seen.tick
        if isinstance(tick, Sample) and situation.is_recent(tick.at, situation.policy.tick_within):
            return ""
        return "no other holder and no fresh Tick metric: the metric pipeline itself may be dead"
    for observed in watched:
        sample = observed.metric
        if isinstance(sample, Sample) and situation.is_recent(sample.at, situation.policy.canary_within):
            return ""
    return "no other holder's metric arrives: the metric pipeline itself may be dead"
