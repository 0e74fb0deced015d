"""Who heard from a host: what a human's word that it is off, or not the holder, is held against (ADR 0015).

Off is what AWS proves and nothing else: a host that EC2 is ending may still run its picos.
"""

from __future__ import annotations

from datetime import timedelta

from picoha.domain.model import InstanceId, InstanceState, Report
from picoha.domain.situation import Situation


def heard_lately(situation: Situation, instance: InstanceId) -> str:
    """Return who heard from this host too lately for it to be off, or ""."""
    within = _must_be_silent(situation, instance)
    report = situation.report(instance)
    if report is not None and situation.now - report.at < within:
        return f"its own report is {(situation.now - report.at).total_seconds():.0f} s old"
    address = situation.address
    is_elsewhere = address is not None and not address.is_free and address.instance != instance
    if not situation.is_platform or is_elsewhere:
        return ""  # a witness of the Platform's name tells of the host that has its address
    return _witness(situation, within)


def rival(situation: Situation, named: InstanceId) -> str:
    """Return which host other than the named one may run the slot's picos, and who says so, or "" (S2).

    A record that is lost or old does not know every earlier holder; the hosts' reports and the Platform's
    witnesses do.
    """
    others = (report for report in situation.observed.reports.values() if report.instance != named)
    told = next((said for other in others if (said := _may_run(situation, other))), "")
    return told or _reached_elsewhere(situation, named)


def shown(situation: Situation, instance: InstanceId) -> str:
    """Return what EC2 says of a host, as the rest of a sentence."""
    host = situation.host(instance)
    return f"says {instance} is {host.state}" if host else f"does not show {instance}"


def _must_be_silent(situation: Situation, instance: InstanceId | None) -> timedelta:
    """Return how long nobody may have heard from a host before a human's word on it counts.

    Ten minutes while EC2 says running (design.md 6). One that EC2 is ending, or shows no more, is mostly
    off; if it still speaks it is not.
    """
    host = situation.host(instance)
    is_running = host is not None and host.state is InstanceState.RUNNING
    return situation.policy.confirm_silence if is_running else situation.policy.silent_after


def _witness(situation: Situation, within: timedelta) -> str:
    """Return which other slot reached the Platform within this time, or ""."""
    for observed in situation.seen.slots:
        for report in observed.reports.values():
            is_late = situation.now - report.at >= within
            if report.reaches_platform and not is_late and observed.name != situation.observed.name:
                return (
                    f"{observed.name} connected to it {(situation.now - report.at).total_seconds():.0f} s ago"
                )
    return ""


def _may_run(situation: Situation, report: Report) -> str:
    """Return why the host of this report may run the picos, or ""."""
    instance, age = report.instance, situation.now - report.at
    if situation.proof_of(instance) is not None:
        return ""
    is_heard = age < _must_be_silent(situation, instance)
    said = f"EC2 {shown(situation, instance)}, and {age.total_seconds():.0f} s ago it said that"
    if report.highest_epoch > situation.record.epoch and (is_heard or _can_be_ended(situation, instance)):
        return f"{said} it has held epoch {report.highest_epoch}, above the record's {situation.record.epoch}"
    if is_heard and any(pico.health.is_good for pico in report.picos.values()):
        return f"{said} its picos run"
    return ""


def _can_be_ended(situation: Situation, instance: InstanceId) -> bool:
    """True while terminating a host by id would bring proof; a hung or vanished one is a human's to judge."""
    host = situation.host(instance)
    return host is not None and host.state is not InstanceState.SHUTTING_DOWN


def _reached_elsewhere(situation: Situation, named: InstanceId) -> str:
    """Return on which other host the Platform's address is while a slot connects to it, or ""."""
    address = situation.address
    if not situation.is_platform or address is None or address.is_free or address.instance == named:
        return ""
    if address.instance is not None and situation.proof_of(address.instance) is not None:
        return ""
    witness = _witness(situation, _must_be_silent(situation, address.instance))
    where = address.instance or f"interface {address.interface}"
    return f"{where} has the Platform's address, and {witness}" if witness else ""
