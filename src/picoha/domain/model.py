"""What picoha can see: slots, hosts, addresses, held launches and reports, at one instant.

Everything here is a frozen value. A read that failed is `Unknown(reason)`, never an empty answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from picoha.domain.health import Health

SlotName = NewType("SlotName", str)
InstanceId = NewType("InstanceId", str)
InterfaceId = NewType("InterfaceId", str)
AllocationId = NewType("AllocationId", str)
AssociationId = NewType("AssociationId", str)


class Kind(StrEnum):
    """What a slot's container is for; a UI container is an execution container."""

    PLATFORM = "platform"
    EXECUTION = "execution"


class PicoType(StrEnum):
    """The product's pico types that picoha starts (domain.md 1)."""

    PLATFORM = "platform"
    EC = "ec"
    SC = "sc"
    UI = "ui"


@dataclass(frozen=True)
class Unknown:
    """A fact that could not be read; `reason` says why. Unknown never admits (safety S11)."""

    reason: str


@dataclass(frozen=True)
class Pico:
    """One pico of a slot, in start order, with its HA monitor port."""

    name: str
    port: int
    type: PicoType


@dataclass(frozen=True)
class Dependency:
    """Something that must be up before a failover can help, as `scheme:target`."""

    scheme: str
    target: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.target}"


@dataclass(frozen=True)
class SlotSpec:
    """What the tags of a slot's Auto Scaling group declare (design.md 3)."""

    name: SlotName
    kind: Kind
    hostname: str
    picos: tuple[Pico, ...]
    container: str
    fenceable: bool
    depends_on: tuple[Dependency, ...] = ()


class InstanceState(StrEnum):
    """EC2's instance states (AWS: EC2 instance lifecycle)."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


GOING_OR_GONE = frozenset(
    {
        InstanceState.STOPPING,
        InstanceState.STOPPED,
        InstanceState.SHUTTING_DOWN,
        InstanceState.TERMINATED,
    }
)


@dataclass(frozen=True)
class Host:
    """One EC2 instance tagged for a slot."""

    instance: InstanceId
    slot: SlotName
    state: InstanceState
    launched_at: datetime
    zone: str = ""
    private_ip: str | None = None
    interface: InterfaceId | None = None
    is_impaired: bool | Unknown = False
    planned_event: str | None = None

    @property
    def is_terminated(self) -> bool:
        """True once EC2 says `terminated`, which never becomes anything else."""
        return self.state is InstanceState.TERMINATED


@dataclass(frozen=True)
class Member:
    """A host's place in its Auto Scaling group; `lifecycle` is AWS's word, an open set."""

    instance: InstanceId
    lifecycle: str

    @property
    def is_held(self) -> bool:
        """True while the launch waits in the launch hook of the group."""
        return self.lifecycle == "Pending:Wait"

    @property
    def is_warming(self) -> bool:
        """True while the host waits in the launch hook of the warm pool."""
        return self.lifecycle == "Warmed:Pending:Wait"

    @property
    def is_in_service(self) -> bool:
        """True once Auto Scaling counts the host."""
        return self.lifecycle == "InService"


@dataclass(frozen=True)
class ScalingGroup:
    """A slot's Auto Scaling group as described, warm pool members included in `members`."""

    name: str
    min_size: int
    max_size: int
    desired: int
    members: tuple[Member, ...] = ()

    @property
    def is_parked(self) -> bool:
        """True at desired 0: no decision, no page (design.md 3)."""
        return self.desired == 0

    @property
    def is_singleton(self) -> bool:
        """True for the one shape picoha takes from: min = max = desired = 1."""
        return (self.min_size, self.max_size, self.desired) == (1, 1, 1)

    def member(self, instance: InstanceId | None) -> Member | None:
        """The member with this id, or None."""
        return next((member for member in self.members if member.instance == instance), None)


@dataclass(frozen=True)
class Address:
    """A slot's Elastic IP and where it is now."""

    allocation: AllocationId
    public_ip: str
    association: AssociationId | None = None
    instance: InstanceId | None = None
    interface: InterfaceId | None = None

    @property
    def is_free(self) -> bool:
        """True while the address is associated with nothing."""
        return self.association is None


class AgentPhase(StrEnum):
    """What a host's agent is doing, in its own words."""

    OPEN = "open"
    WAITING = "waiting"
    TAKEN = "taken"
    NAMES_WRONG = "names-wrong"
    STARTING = "starting"
    RUNNING = "running"
    START_FAILED = "start-failed"
    STOPPING = "stopping"
    OFFLINE = "offline"


@dataclass(frozen=True)
class PicoReading:
    """One pico's last answer on its host: judged health, raw exit code, and why."""

    health: Health
    code: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class NamesReading:
    """Whether the two properties resolve on the host as the product demands (domain.md 4.1)."""

    are_right: bool
    problem: str = ""
    resolved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """One host's own row: all its agent knows. Ages are judged by the controller's clock."""

    instance: InstanceId
    slot: SlotName
    boot_id: str
    at: datetime
    phase: AgentPhase
    epoch: int = 0
    highest_epoch: int = 0
    picos: Mapping[str, PicoReading] = field(default_factory=dict)
    names: NamesReading | None = None
    healthy_since: datetime | None = None
    failed_samples: int = 0
    unknown_since: datetime | None = None
    reaches_platform: bool | None = None
    leaving_at: datetime | None = None
    order_seen: str | None = None
    order_done: str | None = None
    order_result: str = ""
    starts: int = 0
    platform_key: str = ""
    tests: Mapping[str, bool] = field(default_factory=dict)
    problem: str = ""
    version: str = ""
    every_s: int = 10

    @property
    def period(self) -> timedelta:
        """The time between two reports; what a host writes of it is believed from 10 to 60 s only."""
        return timedelta(seconds=min(max(self.every_s, 10), 60))

    @property
    def is_healthy(self) -> bool:
        """True when every pico answered 101 to 110 in the last cycle."""
        return bool(self.picos) and all(pico.health.is_good for pico in self.picos.values())


@dataclass(frozen=True)
class Sample:
    """The newest datapoint of a metric."""

    at: datetime
    value: float


class EvidenceKind(StrEnum):
    """How we know that a host is off (design.md 6)."""

    POWER = "power"
    ACTIVITY = "activity"
    OPERATOR = "operator"


SHOWN_BY_AWS = {
    EvidenceKind.POWER: "EC2 says terminated",
    EvidenceKind.ACTIVITY: "its group's activity says it was terminated successfully",
}
"""What AWS shows when it proves a host off, by kind of evidence: the only details of those kinds (S4)."""


@dataclass(frozen=True)
class Evidence:
    """The durable proof that one instance is off; written once, never changed (safety S4)."""

    instance: InstanceId
    slot: SlotName
    kind: EvidenceKind
    seen_at: datetime
    detail: str
    by: str = "controller"
