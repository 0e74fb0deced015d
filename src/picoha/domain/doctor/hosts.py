"""The checks of `picoha doctor` on a cell's hosts and their agents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from picoha.domain.doctor.facts import GroupFacts, InspectedHost
from picoha.domain.doctor.findings import Level, Row, grave
from picoha.domain.model import AgentPhase, Report
from picoha.domain.policy import Policy


def termination(
    groups: Sequence[GroupFacts], machines: Sequence[InspectedHost], protected: Mapping[str, bool]
) -> Iterator[Row]:
    """No host is protected against the termination that a fence is."""
    by_slot = {group.slot: group for group in groups}
    for machine in machines:
        if protected.get(machine.instance) and machine.slot in by_slot:
            why = f"{machine.instance} has termination protection: it cannot be fenced"
            mend = f"aws ec2 modify-instance-attribute --instance-id {machine.instance}"
            yield grave(by_slot[machine.slot]), machine.slot, why, f"{mend} --no-disable-api-termination"


def disks(
    groups: Sequence[GroupFacts], machines: Sequence[InspectedHost], instance_stores: Mapping[str, int]
) -> Iterator[Row]:
    """Everything that a fence deletes, host by host: what the owner signs with `fenceable`."""
    signed = {group.slot for group in groups if group.is_fenceable}
    for machine in machines:
        going = [disk for disk in machine.disks if disk.goes_with_host]
        named = [f"{one.volume} ({'root' if one.is_root else one.device})" for one in going]
        store = instance_stores.get(machine.type, 0)
        named += [f"{store} GB of instance store"] if store else []
        if not named:
            continue
        is_data = bool(store) or not all(one.is_root for one in going)
        word = "signed: picoha:fenceable=true" if machine.slot in signed else "not signed yet"
        why = f"a fence of {machine.instance} deletes {', '.join(named)}; {word}"
        kept = [
            f"DeviceName={one.device},Ebs={{DeleteOnTermination=false}}" for one in going if not one.is_root
        ]
        mend = "keep nothing there, or launch a type without instance store"
        if kept:
            mend = f"aws ec2 modify-instance-attribute --instance-id {machine.instance}"
            mend += f" --block-device-mappings {' '.join(kept)}"
        yield Level.WARN if is_data else Level.OK, machine.slot, why, mend if is_data else ""


def host_tags(
    groups: Sequence[GroupFacts],
    machines: Sequence[InspectedHost],
    interface_tags: Mapping[str, Mapping[str, str]],
    cell: str,
) -> Iterator[Row]:
    """Running hosts and their interfaces carry the tags that the reconcile policy asks for."""
    by_slot = {one.slot: one for one in groups}
    for machine in machines:
        group = by_slot.get(machine.slot)
        if group is None:
            continue
        if group.is_fenceable and machine.tags.get("picoha:fenceable") != "true":
            why = f"{machine.instance} lacks picoha:fenceable=true: IAM would refuse its fence"
            mend = f"aws ec2 create-tags --resources {machine.instance}"
            yield grave(group), machine.slot, why, f"{mend} --tags Key=picoha:fenceable,Value=true"
        if interface_tags.get(machine.interface, {}).get("picoha:cell") != cell:
            why = f"interface {machine.interface or '?'} of {machine.instance} lacks picoha:cell={cell}:"
            mend = f"aws ec2 create-tags --resources {machine.interface} --tags Key=picoha:cell,Value={cell}"
            also = "; and tag network-interface in the launch template"
            yield grave(group), machine.slot, f"{why} IAM would refuse its Elastic IP", mend + also
        if not machine.has_metadata_tags:
            mend = f"aws ec2 modify-instance-metadata-options --instance-id {machine.instance}"
            why = f"{machine.instance} does not show its tags in instance metadata: its agent is blind"
            yield Level.WARN, machine.slot, why, f"{mend} --instance-metadata-tags enabled"


def agents(
    machines: Sequence[InspectedHost], reports: Sequence[Report], policy: Policy, now: datetime
) -> Iterator[Row]:
    """Every running host reports, lately, in one version, with the right names and no complaint."""
    by_instance = {report.instance: report for report in reports}
    running = [one for one in machines if one.state == "running"]
    for machine in running:
        yield from _agent(machine, by_instance.get(machine.instance), policy, now)
    known = [by_instance[one.instance].version for one in running if one.instance in by_instance]
    versions = sorted(set(known) - {""})
    if len(versions) > 1:
        why = f"agents of {len(versions)} versions: {', '.join(versions)}"
        yield Level.WARN, "", why, "replace the hosts of older agents one by one: picoha roll"


def _agent(machine: InspectedHost, report: Report | None, policy: Policy, now: datetime) -> Iterator[Row]:
    look = "journalctl -u picoha-agent --since -10min"
    if report is None:
        yield Level.ERROR, machine.slot, f"{machine.instance}: its agent has never reported", look
        return
    if now - report.at > policy.fresh_within:
        age = int((now - report.at).total_seconds())
        yield Level.ERROR, machine.slot, f"{machine.instance}: last report {age} s ago", look
    if report.names is not None and not report.names.are_right:
        # Behind an open gate the agent leaves the hosts file alone; else no cell could ever be enforced.
        is_open = report.phase is AgentPhase.OPEN
        level, so = (
            (Level.WARN, " (its gate is open: the file is not written yet)") if is_open else (Level.ERROR, "")
        )
        mend = "picoha-agent names"
        yield level, machine.slot, f"{machine.instance}: {report.names.problem}{so}", mend
    if report.problem:
        yield Level.WARN, machine.slot, f"{machine.instance}: {report.problem}", look
