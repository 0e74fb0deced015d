"""Views as real Observation values: our slot as seen, in a demo cell whose other slots are well."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from builders import (
    EC1,
    EC2,
    NOW,
    PLATFORM,
    a_host,
    a_report,
    a_sick_report,
    a_slot,
    ago,
    an_address,
    in_failover,
)
from model.memory import FRESH, ORDER, VER, instance, number
from model.views import DRAINED, GONE, SILENT, WAITING, Shown, View, is_settled
from model.world import (
    FREE,
    HELD,
    MACHINES,
    NO_ADDRESS,
    OBSERVE,
    OUT,
    PAUSED,
    RUNNING,
    SERVING,
    SHUTTING,
    TERMINATED,
    VERBS,
    WARM,
    WARMING,
)
from picoha.domain.model import (
    Address,
    AgentPhase,
    Host,
    InstanceState,
    Member,
    Report,
    Sample,
    ScalingGroup,
    SlotName,
    Unknown,
)
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.record import Brake, Mode, ModeRecord, Pause, Request, RequestVerb, SlotRecord, Step

POWERS = {
    RUNNING: InstanceState.RUNNING,
    SHUTTING: InstanceState.SHUTTING_DOWN,
    TERMINATED: InstanceState.TERMINATED,
}
PLACES = {
    HELD: "Pending:Wait",
    SERVING: "InService",
    WARMING: "Warmed:Pending:Wait",
    WARM: "Warmed:Running",
}
THROTTLED = Unknown("throttled")
PAUSE = Pause("upgrade", "anna", ago(60), ago(-3600))
SILENCE = Sample(ago(300), 1.0)
BEAT = Sample(ago(5), 1.0)
METRICS: dict[str, Sample | Unknown] = {
    "": BEAT,
    "well": BEAT,
    "failed": Sample(ago(5), 0.0),
    "metric": THROTTLED,
}
"""The holder's metric under each signal; it is silent under every other."""
DEPENDENCIES: dict[str, dict[str, bool | Unknown]] = {
    "dependency": {"rds:db": False},
    "unsure": {"rds:db": THROTTLED},
}


class Stage:
    """Turns views into observations of a demo cell whose other slots are well."""

    def __init__(self, has_address: bool) -> None:
        self.slot: SlotName = PLATFORM if has_address else EC1
        self._slot_observation = a_slot(self.slot)
        self._host = cache(self._make_host)
        self._report = cache(self._make_report)
        self._address = cache(self._make_address)
        self._others = cache(self._make_others)

    def observation(self, view: View, record: SlotRecord, brake: Brake) -> Observation:
        """Return the view as the controller's loop would have observed it."""
        mode = Mode.OBSERVE if view.mode & OBSERVE else Mode.ENFORCE
        pauses = {"*": PAUSE} if view.mode & PAUSED else {}
        return Observation(
            now=NOW,
            cell="demo",
            slots=(self._own(view, record), *self._others(view.signal)),
            mode=ModeRecord(ver=VER, mode=mode, pauses=pauses),
            brake=brake,
            memory=THROTTLED if view.signal == "memory" else None,
            tick=Sample(ago(9999 if view.signal == "canary" else 30), 1.0),
        )

    def _own(self, view: View, record: SlotRecord) -> SlotObservation:
        signal, shown = view.signal, view.shown
        is_held = is_settled(record)
        holder = number(record.holder) if record.holder else -1
        reports = (
            self._report(n, one, signal, is_held and n == holder)
            for n, one in enumerate(shown)
            if one.told != SILENT or n == holder
        )
        hosts = tuple(self._host(n, one.power, signal) for n, one in enumerate(shown) if one.power in POWERS)
        return SlotObservation(
            name=self.slot,
            spec=self._slot_observation.spec,
            hosts=THROTTLED if signal == "hosts" else hosts,
            group=THROTTLED if signal == "group" else self._group(view),
            address=THROTTLED if signal == "address" else self._address(view.address),
            departed=frozenset(instance(n) for n, one in enumerate(shown) if one.power == GONE),
            record=record,
            newer="schema 2" if signal == "newer" else "",
            reports={report.instance: report for report in reports},
            metric=METRICS.get(signal, SILENCE),
            dependencies=DEPENDENCIES.get(signal, {}),
            requests=_requests(view.asked, self.slot),
        )

    def _make_host(self, n: int, power: int, signal: str) -> Host:
        host = a_host(self.slot, instance(n), state=POWERS[power])
        if signal == "young":
            return replace(host, launched_at=ago(60))
        if signal == "planned":
            return replace(host, planned_event="system-maintenance")
        return replace(host, is_impaired=THROTTLED) if signal == "status" else host

    def _make_report(self, n: int, one: Shown, signal: str, is_holder: bool) -> Report:
        epochs = {"epoch": one.taken, "highest_epoch": one.taken}
        if is_holder and signal == "failed":
            return a_sick_report(self.slot, instance=instance(n), **epochs)
        is_quiet = signal not in ("", "well") if is_holder else signal == "quiet"
        at = ago(300 if is_quiet or one.told == SILENT else 5)
        leaving = ago(10) if is_holder and signal == "leaving" else None
        fields: dict[str, Any] = {**epochs, "at": at, "leaving_at": leaving}
        if one.told in (WAITING, DRAINED):
            fields |= {"phase": AgentPhase.WAITING, "picos": {}, "healthy_since": None}
        if one.told == DRAINED:
            fields |= {"phase": AgentPhase.OFFLINE, "order_done": ORDER}
        return a_report(self.slot, instance=instance(n), **fields)

    def _group(self, view: View) -> ScalingGroup:
        members = tuple(
            Member(instance(n), PLACES[one.place]) for n, one in enumerate(view.shown) if one.place != OUT
        )
        most = 2 if view.signal == "shape" else 1
        return ScalingGroup(f"demo-{self.slot}", 1, most, 1, members)

    def _make_address(self, where: int) -> Address | None:
        if where == NO_ADDRESS:
            return None
        host = a_host(self.slot, instance(max(where, 0)))
        if where == FREE:
            return an_address(self.slot, host, association=None, instance=None, interface=None)
        return an_address(self.slot, host)

    def _make_others(self, signal: str) -> tuple[SlotObservation, ...]:
        names = (EC1, EC2) if self.slot == PLATFORM else (PLATFORM, EC2)
        return tuple(_other(name, signal) for name in names)


def _other(name: SlotName, signal: str) -> SlotObservation:
    report = a_report(name, reaches_platform=None if name == PLATFORM else signal == "reached")
    observed = a_slot(name, reports={report.instance: report})
    if signal == "canary":
        return replace(observed, metric=SILENCE)
    if signal == "storm":
        sick = a_sick_report(name, reaches_platform=None if name == PLATFORM else False)
        return replace(observed, reports={sick.instance: sick}, metric=METRICS["failed"])
    if (signal, name) in (("busy", EC2), ("platform", PLATFORM)):
        return replace(observed, record=in_failover(name, Step.FENCING))
    return observed


def _requests(asked: int, slot: SlotName) -> tuple[Request, ...]:
    if not asked:
        return ()
    verb, n = VERBS[asked // MACHINES], asked % MACHINES
    return (Request("r1", RequestVerb(verb), slot, "anna", "drill", FRESH, instance(n)),)
