"""The ports of the loop as tests hold them: eyes, hands, voice, clock, and a watched real memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from picoha.adapters.aws.memory import AwsMemory
from picoha.app.errors import SensorFailed
from picoha.app.ports import DeclaredSlot, HostStatus, Remembered
from picoha.domain.decision import Change
from picoha.domain.ledger import JournalRow, Ledger
from picoha.domain.model import (
    Address,
    AllocationId,
    AssociationId,
    Dependency,
    Host,
    InstanceId,
    InstanceState,
    InterfaceId,
    Kind,
    Member,
    Pico,
    PicoType,
    Sample,
    ScalingGroup,
    SlotName,
    SlotSpec,
)
from picoha.domain.record import HistoryRow, ModeRecord, Notice
from picoha.fakeaws.scheduler import START

EC1, PLATFORM1 = SlotName("ec1"), SlotName("platform1")
EC1_HOST, PLATFORM_HOST = InstanceId("i-ec1"), InstanceId("i-platform1")


class Crash(BaseException):
    """The process ends here."""


class HandClock:
    """A clock that only a test, or a sleep, moves."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed += seconds


def declared(slot: SlotName, kind: Kind, instance: InstanceId, **changes: Any) -> DeclaredSlot:
    """Return a slot's group with its one member in service."""
    pico = Pico(slot, 7100, PicoType.PLATFORM if kind is Kind.PLATFORM else PicoType.EC)
    spec = SlotSpec(slot, kind, f"{slot}host", (pico,), slot, fenceable=True)
    group = ScalingGroup(f"demo-{slot}", 1, 1, 1, (Member(instance, "InService"),))
    return DeclaredSlot(slot, group, replace(spec, **changes))


def running(slot: SlotName, instance: InstanceId) -> Host:
    """Return a host that has run for a day."""
    launched_at = START - timedelta(days=1)
    eni = InterfaceId(f"eni-{instance}")
    return Host(instance, slot, InstanceState.RUNNING, launched_at, "a", "10.0.0.1", eni)


def on_host(instance: InstanceId) -> Address:
    """Return an Elastic IP on a host's interface."""
    eni = InterfaceId(f"eni-{instance}")
    return Address(AllocationId("eipalloc-1"), "203.0.113.10", AssociationId("eipassoc-1"), instance, eni)


class Eyes:
    """The sensors: they see what a test put here; a name in `failing` cannot be read."""

    def __init__(self, clock: HandClock) -> None:
        self.slots = [
            declared(EC1, Kind.EXECUTION, EC1_HOST),
            declared(PLATFORM1, Kind.PLATFORM, PLATFORM_HOST),
        ]
        self.machines = [running(EC1, EC1_HOST), running(PLATFORM1, PLATFORM_HOST)]
        self.owned = {PLATFORM1: on_host(PLATFORM_HOST)}
        self.impaired: set[InstanceId] = set()
        self.silent: dict[str, datetime] = {}
        self.gone: frozenset[InstanceId] = frozenset()
        self.up: dict[str, bool] = {}
        self.failing: set[str] = set()
        self.asked: list[str] = []
        self._clock = clock

    def _look(self, what: str) -> None:
        self.asked.append(what)
        if what.split()[0] in self.failing:
            raise SensorFailed(f"{what} failed")

    def declared_slots(self) -> Sequence[DeclaredSlot]:
        self._look("groups")
        return self.slots

    def addresses(self) -> Mapping[SlotName, Address]:
        self._look("addresses")
        return self.owned

    def hosts(self) -> Sequence[Host]:
        self._look("hosts")
        return self.machines

    def statuses(self, instances: Sequence[InstanceId]) -> Mapping[InstanceId, HostStatus]:
        self._look(f"statuses {' '.join(instances)}")
        return {instance: HostStatus(instance in self.impaired) for instance in instances}

    def newest_samples(self, slots: Sequence[SlotName]) -> Mapping[str, Sample]:
        self._look("samples")
        return {one: Sample(self.silent.get(one, self._clock.now()), 1.0) for one in ("*", *slots)}

    def departed(self, group: str, instances: Sequence[InstanceId]) -> frozenset[InstanceId]:
        self._look(f"departed {group} {' '.join(instances)}")
        return self.gone & frozenset(instances)

    def is_up(self, dependency: Dependency) -> bool:
        self._look(str(dependency))
        return self.up[str(dependency)]


class Hands:
    """The actuators: they keep what was ordered; `fault` is raised by the next order."""

    def __init__(self) -> None:
        self.orders: list[tuple[Any, ...]] = []
        self.fault: BaseException | None = None

    def _do(self, *order: Any) -> str:
        self.orders.append(order)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        return f"request-{len(self.orders)}"

    def fence_host(self, instance: InstanceId, force: bool) -> str:
        return self._do("fence", instance, force)

    def hint_unhealthy(self, instance: InstanceId) -> str:
        return self._do("hint", instance)

    def free_address(self, association: AssociationId) -> str:
        return self._do("free", association)

    def move_address(self, allocation: AllocationId, interface: InterfaceId) -> str:
        return self._do("move", allocation, interface)

    def release_launch(self, group: str, instance: InstanceId) -> str:
        return self._do("release", group, instance)

    def abandon_launch(self, group: str, instance: InstanceId) -> str:
        return self._do("abandon", group, instance)

    def extend_launch(self, group: str, instance: InstanceId) -> str:
        return self._do("extend", group, instance)


class Voice:
    """The notifier: it keeps what was said."""

    def __init__(self) -> None:
        self.said: list[Notice] = []
        self.beats = 0
        self.fault: Exception | None = None

    def publish(self, notice: Notice) -> None:
        if self.fault is not None:
            raise self.fault
        self.said.append(notice)

    def beat(self) -> None:
        self.beats += 1
        if self.fault is not None:
            raise self.fault


class Watched:
    """The real memory; `before_commit` and `on_note` run first, and may write, raise or crash."""

    def __init__(self, inner: AwsMemory) -> None:
        self._inner = inner
        self.before_load: Callable[[], None] = lambda: None
        self.before_commit: Callable[[], None] = lambda: None
        self.before_note: Callable[[], None] = lambda: None

    def load(self) -> Remembered:
        self.before_load()
        return self._inner.load()

    def commit(
        self,
        change: Change,
        mode: ModeRecord,
        history: HistoryRow | None,
        journal: Sequence[JournalRow] = (),
    ) -> None:
        self.before_commit()
        self._inner.commit(change, mode, history, journal)

    def note(self, row: JournalRow) -> None:
        self.before_note()
        self._inner.note(row)

    def history(self, since: datetime, until: datetime) -> Sequence[HistoryRow]:
        return self._inner.history(since, until)

    def ledger(self, since: datetime, until: datetime) -> Ledger:
        return self._inner.ledger(since, until)
