"""Look at the whole cell once: one `now`, two rounds of independent reads, one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from picoha.app.ports import DeclaredSlot, HostStatus, Looking, Remembered
from picoha.domain.model import (
    Address,
    Dependency,
    Host,
    InstanceId,
    Report,
    Sample,
    ScalingGroup,
    SlotName,
    Unknown,
)
from picoha.domain.observation import Observation, SlotObservation, with_one_platform
from picoha.domain.policy import Policy

T = TypeVar("T")

TESTED_BY_HOSTS = frozenset({"tcp", "mount"})
JUDGED_BY_ORDER = frozenset({"slot"})


def observe(ports: Looking, fresh_within: timedelta = Policy.fresh_within) -> Observation:
    """Return what can be seen of the cell now; a read that failed is Unknown, never missing.

    What hosts tested counts for `fresh_within`: the last report of a dead host stays in the table.
    """
    first = ports.gather(
        {
            "memory": ports.memory.load,
            "groups": ports.sensors.declared_slots,
            "addresses": ports.sensors.addresses,
            "hosts": ports.sensors.hosts,
        }
    )
    memory = first["memory"]
    remembered = memory if isinstance(memory, Remembered) else Remembered()
    groups: Sequence[DeclaredSlot] | Unknown = first["groups"]  # type: ignore[assignment]  # the port's type
    hosts: Sequence[Host] | Unknown = first["hosts"]  # type: ignore[assignment]  # the port's type
    names = _names(groups, remembered)
    gathered = ports.gather(_second_round(ports, names, groups, hosts, remembered))
    now = ports.clock.now()
    second = {**_tested(remembered.reports, now - fresh_within), **gathered}
    observed_slots = [
        _slot_observation(name, groups, hosts, first["addresses"], remembered, second) for name in names
    ]
    return Observation(
        now=now,
        cell=ports.cell,
        slots=with_one_platform(observed_slots),
        mode=remembered.mode,
        brake=remembered.brake,
        memory=memory if isinstance(memory, Unknown) else None,
        tick=_of(second["samples"], "*"),
    )


def _names(groups: Sequence[DeclaredSlot] | Unknown, remembered: Remembered) -> list[SlotName]:
    declared = [] if isinstance(groups, Unknown) else [group.name for group in groups]
    return sorted({*declared, *remembered.records, *remembered.newer})


def _second_round(
    ports: Looking,
    names: list[SlotName],
    groups: Sequence[DeclaredSlot] | Unknown,
    hosts: Sequence[Host] | Unknown,
    remembered: Remembered,
) -> dict[str, Callable[[], object]]:
    """Reads that need the first round's answers: status checks, metrics, dependencies, activities."""
    living = [] if isinstance(hosts, Unknown) else [host.instance for host in hosts if not host.is_terminated]
    reads: dict[str, Callable[[], object]] = {"samples": partial(ports.sensors.newest_samples, names)}
    if living:
        reads["statuses"] = partial(ports.sensors.statuses, living)
    if isinstance(groups, Unknown) or isinstance(hosts, Unknown):
        return reads
    for one in groups:
        for dependency in _asked(one):
            reads[str(dependency)] = partial(ports.sensors.is_up, dependency)
        record = remembered.records.get(one.name)
        unseen = _unseen(record.unfenced if record else (), hosts)
        if unseen:
            reads[f"departed {one.name}"] = partial(ports.sensors.departed, one.group.name, unseen)
    return reads


def _asked(declared: DeclaredSlot) -> list[Dependency]:
    spec = declared.spec
    others = TESTED_BY_HOSTS | JUDGED_BY_ORDER
    return [dependency for dependency in (spec.depends_on if spec else ()) if dependency.scheme not in others]


def _unseen(instances: Sequence[InstanceId], hosts: Sequence[Host]) -> list[InstanceId]:
    shown = {host.instance for host in hosts}
    return [instance for instance in instances if instance not in shown]


def _slot_observation(
    name: SlotName,
    groups: Sequence[DeclaredSlot] | Unknown,
    hosts: Sequence[Host] | Unknown,
    addresses: object,
    remembered: Remembered,
    second: Mapping[str, object],
) -> SlotObservation:
    same = [] if isinstance(groups, Unknown) else [one for one in groups if one.name == name]
    declared = same[0] if same else None
    group: ScalingGroup | Unknown | None = groups if isinstance(groups, Unknown) else None
    departed = second.get(f"departed {name}")
    return SlotObservation(
        name=name,
        spec=declared.spec if declared else None,
        problem=_problem(same),
        group=declared.group if declared else group,
        hosts=_hosts_of(name, hosts, second.get("statuses")),
        address=_address_of(name, addresses),
        record=remembered.records.get(name),
        newer=remembered.newer.get(name, ""),
        reports={report.instance: report for report in remembered.reports if report.slot == name},
        metric=_of(second["samples"], name),
        departed=departed if isinstance(departed, frozenset) else frozenset(),
        dependencies=_dependencies(declared, second),
        requests=tuple(request for request in remembered.requests if request.slot == name),
    )


def _problem(same: Sequence[DeclaredSlot]) -> str:
    if len(same) < 2:
        return same[0].problem if same else ""
    names = ", ".join(sorted(one.group.name for one in same))
    return f"{len(same)} groups carry picoha:slot={same[0].name}: {names}"


def _hosts_of(
    name: SlotName, hosts: Sequence[Host] | Unknown, statuses: object
) -> tuple[Host, ...] | Unknown:
    if isinstance(hosts, Unknown):
        return hosts
    return tuple(_checked(host, statuses) for host in hosts if host.slot == name)


def _checked(host: Host, statuses: object) -> Host:
    if isinstance(statuses, Unknown):
        return replace(host, is_impaired=statuses)
    status = statuses.get(host.instance) if isinstance(statuses, Mapping) else None
    if not isinstance(status, HostStatus):
        return host
    return replace(host, is_impaired=status.is_impaired, planned_event=status.planned_event)


def _address_of(name: SlotName, addresses: object) -> Address | Unknown | None:
    if isinstance(addresses, Unknown):
        return addresses
    found = addresses.get(name) if isinstance(addresses, Mapping) else None
    return found if isinstance(found, Address | Unknown) else None


def _of(samples: object, name: str) -> Sample | Unknown | None:
    if isinstance(samples, Unknown):
        return samples
    found = samples.get(name) if isinstance(samples, Mapping) else None
    return found if isinstance(found, Sample) else None


def _tested(reports: Sequence[Report], since: datetime) -> dict[str, bool]:
    """What hosts tested lately: up when any of them passes (one host without it is its own trouble)."""
    tested: dict[str, bool] = {}
    for report in reports:
        for name, passes in report.tests.items() if report.at >= since else ():
            tested[name] = tested.get(name, False) or passes
    return tested


def _dependencies(declared: DeclaredSlot | None, second: Mapping[str, object]) -> dict[str, bool | Unknown]:
    """Dependencies as AWS or hosts answered for them; one that no host tested lately is not judged."""
    answers: dict[str, bool | Unknown] = {}
    for dependency in declared.spec.depends_on if declared and declared.spec else ():
        is_untested = dependency.scheme in TESTED_BY_HOSTS and str(dependency) not in second
        if dependency.scheme not in JUDGED_BY_ORDER and not is_untested:
            answer = second.get(str(dependency))
            answers[str(dependency)] = (
                answer if isinstance(answer, bool | Unknown) else Unknown("was not read")
            )
    return answers
