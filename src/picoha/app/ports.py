"""What the loop needs from outside: eyes, hands, memory, a voice and a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from picoha.domain.decision import Change
from picoha.domain.doctor.findings import Finding
from picoha.domain.ledger import JournalRow
from picoha.domain.model import (
    Address,
    AllocationId,
    AssociationId,
    Dependency,
    Host,
    InstanceId,
    InterfaceId,
    Report,
    Sample,
    ScalingGroup,
    SlotName,
    SlotSpec,
    Unknown,
)
from picoha.domain.record import Brake, HistoryRow, ModeRecord, Notice, Operation, Request, SlotRecord

if TYPE_CHECKING:
    from picoha.domain.ledger import Ledger


@dataclass(frozen=True)
class DeclaredSlot:
    """A group that carries a slot's name: its declaration, or what is wrong with it."""

    name: SlotName
    group: ScalingGroup
    spec: SlotSpec | None = None
    problem: str = ""


@dataclass(frozen=True)
class HostStatus:
    """EC2's status checks of a host, and a planned AWS event on it if there is one."""

    is_impaired: bool
    planned_event: str | None = None


@dataclass(frozen=True)
class Remembered:
    """One strongly consistent read of the working memory (partitions CELL and HOSTS)."""

    mode: ModeRecord = field(default_factory=ModeRecord)
    brake: Brake = field(default_factory=Brake)
    records: Mapping[SlotName, SlotRecord] = field(default_factory=dict)
    newer: Mapping[SlotName, str] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    requests: tuple[Request, ...] = ()


class Sensors(Protocol):
    """Everything that only looks. Every method raises SensorFailed when AWS does not answer."""

    def declared_slots(self) -> Sequence[DeclaredSlot]: ...
    def addresses(self) -> Mapping[SlotName, Address | Unknown]: ...
    def hosts(self) -> Sequence[Host]: ...
    def statuses(self, instances: Sequence[InstanceId]) -> Mapping[InstanceId, HostStatus]: ...
    def newest_samples(self, slots: Sequence[SlotName]) -> Mapping[str, Sample]:
        """Return the newest `Healthy` sample per slot, and the controller's `Tick` under "*"."""
        ...

    def departed(self, group: str, instances: Sequence[InstanceId]) -> frozenset[InstanceId]: ...
    def is_up(self, dependency: Dependency) -> bool: ...


class Actuators(Protocol):
    """Everything that changes AWS. Returns the AWS request id; raises ActionFailed."""

    def fence_host(self, instance: InstanceId, force: bool) -> str: ...
    def hint_unhealthy(self, instance: InstanceId) -> str: ...
    def free_address(self, association: AssociationId) -> str: ...
    def move_address(self, allocation: AllocationId, interface: InterfaceId) -> str: ...
    def release_launch(self, group: str, instance: InstanceId) -> str: ...
    def abandon_launch(self, group: str, instance: InstanceId) -> str: ...
    def extend_launch(self, group: str, instance: InstanceId) -> str: ...


class Recall(Protocol):
    """The part of Memory that only reads."""

    def load(self) -> Remembered:
        """Return the working memory; raises MemoryUnreadable."""
        ...

    def history(self, since: datetime, until: datetime) -> Sequence[HistoryRow]:
        """Return the history rows of a period, oldest first; raises MemoryUnreadable."""
        ...

    def ledger(self, since: datetime, until: datetime) -> Ledger:
        """Return what a period's records say, for `verify`; raises MemoryUnreadable."""
        ...


class Memory(Recall, Protocol):
    """What outlives an invocation. Writes are conditional on the versions read."""

    def commit(
        self,
        change: Change,
        mode: ModeRecord,
        history: HistoryRow | None,
        journal: Sequence[JournalRow] = (),
    ) -> None:
        """Write all of a change or nothing; raises LostRace, or MemoryUnreadable if unsure."""
        ...

    def note(self, row: JournalRow) -> None:
        """Add the result of one effect to its operation's journal; raises MemoryUnreadable."""
        ...


class Requests(Protocol):
    """All that the operator function may write, and the records that only people ask for.

    Writes raise LostRace when somebody else was first, and ActionFailed.
    """

    def ask(self, request: Request) -> None:
        """Write a request for the loop, which consumes it once."""
        ...

    def save_mode(self, mode: ModeRecord, row: HistoryRow) -> None:
        """Write the next version of the mode that was read as `mode.ver`, and its history row."""
        ...

    def save_brake(self, brake: Brake, row: HistoryRow) -> None:
        """Write the next version of the brake that was read as `brake.ver`, and its history row."""
        ...

    def operation(self, name: str) -> tuple[Operation | None, Sequence[JournalRow]]:
        """Return an ended operation (None while it is open) and its journal; raises MemoryUnreadable."""
        ...

    def health(
        self, slots: Sequence[SlotName], since: datetime, until: datetime
    ) -> Mapping[SlotName, Sequence[Sample]]:
        """Return the worst `Healthy` sample of each minute, oldest first; raises SensorFailed."""
        ...


class Notifier(Protocol):
    """The controller's voice. Raises ActionFailed."""

    def publish(self, notice: Notice) -> None: ...
    def beat(self) -> None:
        """Publish the controller's own `Tick` metric."""
        ...


class Clock(Protocol):
    """The only time the loop knows."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        ...

    def sleep(self, seconds: float) -> None: ...


Reads = Mapping[str, Callable[[], object]]


class Gather(Protocol):
    """Runs independent reads side by side; one that fails or is too late becomes Unknown."""

    def __call__(self, reads: Reads) -> Mapping[str, object | Unknown]: ...


class Looking(Protocol):
    """What `observe` needs."""

    @property
    def cell(self) -> str: ...
    @property
    def sensors(self) -> Sensors: ...
    @property
    def memory(self) -> Recall: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def gather(self) -> Gather: ...


@dataclass(frozen=True)
class OperatorPorts:
    """What the operator function gets: no actuators. `examine` is `doctor`, `depending` is `leave`."""

    cell: str
    sensors: Sensors
    memory: Recall
    requests: Requests
    clock: Clock
    gather: Gather
    examine: Callable[[], Sequence[Finding]]
    depending: Callable[[], Sequence[Finding]]


@dataclass(frozen=True)
class Ports:
    """All of them, as bootstrap wires them for the reconcile function."""

    cell: str
    sensors: Sensors
    actuators: Actuators
    memory: Memory
    notifier: Notifier
    clock: Clock
    gather: Gather
