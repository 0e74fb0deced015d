"""What `doctor` and `leave` know about a cell's account, as frozen values; nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from picoha.domain.model import InstanceId, SlotName, SlotSpec


@dataclass(frozen=True)
class HookFacts:
    """One lifecycle hook of a group, in AWS's words; `heartbeat_s` in seconds."""

    name: str
    transition: str
    heartbeat_s: int
    default_result: str


@dataclass(frozen=True)
class WarmPoolFacts:
    """A group's warm pool: its configured minimum, its reuse policy, and who is in it."""

    min_size: int
    reuses: bool
    members: int


@dataclass(frozen=True)
class GroupFacts:
    """A slot's Auto Scaling group; `spec` is None, with `problem`, where a tag is wrong."""

    slot: SlotName
    name: str
    spec: SlotSpec | None
    problem: str = ""
    size: tuple[int, int, int] = (1, 1, 1)
    maintenance: tuple[int, int] | None = None
    suspended: frozenset[str] = frozenset()
    propagated: frozenset[str] = frozenset()
    local: frozenset[str] = frozenset()
    shielded: tuple[str, ...] = ()
    shields_new: bool = False
    subnets: tuple[str, ...] = ()
    warm_pool: WarmPoolFacts | None = None

    @property
    def is_parked(self) -> bool:
        """True at desired 0 (design.md 3)."""
        return self.size[2] == 0

    @property
    def is_fenceable(self) -> bool:
        """True once the owner has signed that nothing on the host's own disks is needed."""
        return self.spec is not None and self.spec.fenceable


@dataclass(frozen=True)
class AttachedVolume:
    """One volume attached to a host."""

    volume: str
    device: str
    is_root: bool
    goes_with_host: bool


@dataclass(frozen=True)
class InspectedHost:
    """One instance of the cell that is not terminated; `interface` is its primary one."""

    instance: InstanceId
    slot: SlotName
    state: str
    type: str
    tags: Mapping[str, str]
    disks: tuple[AttachedVolume, ...] = ()
    has_metadata_tags: bool = True
    interface: str = ""
    security_groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class ElasticIp:
    """One Elastic IP that carries the cell's tag; `slot` is its picoha:slot, or empty.

    `place` is the instance it is on, or the interface where that is nobody's; empty while it is free.
    """

    allocation: str
    public_ip: str
    slot: str
    place: str = ""
    association: str = ""


@dataclass(frozen=True)
class Quota:
    """How many Elastic IPs the account has in this Region, and how many it may have."""

    used: int
    limit: int


@dataclass(frozen=True)
class AlarmFacts:
    """One metric alarm of the cell; `slot` is the dimension Slot of the metric it watches."""

    name: str
    is_enabled: bool
    actions: tuple[str, ...]
    missing_as: str
    slot: str


@dataclass(frozen=True)
class Subnet:
    """Where a subnet's default route leads, and what it can reach without one.

    `target` is the id behind 0.0.0.0/0 (igw-, nat-, ...), empty without such a route; `nat_ips` are
    the public addresses of that NAT gateway; `endpoints` are services with an endpoint in its VPC.
    """

    id: str
    target: str = ""
    assigns_public_ip: bool = False
    nat_ips: tuple[str, ...] = ()
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ingress:
    """One inbound permission of a security group: a range of TCP ports from CIDR blocks."""

    security_group: str
    first_port: int
    last_port: int
    cidrs: tuple[str, ...]


@dataclass(frozen=True)
class TableFacts:
    """The settings of the cell's table."""

    name: str
    is_on_demand: bool
    is_protected: bool
    has_point_in_time_recovery: bool


@dataclass(frozen=True)
class FunctionFacts:
    """The reconcile function: its settings, and the role that its policy hangs on."""

    arn: str
    role: str
    environment: Mapping[str, str] = field(default_factory=dict)
    reserved: int | None = None

    @property
    def name(self) -> str:
        """The function's name, the seventh part of its ARN."""
        return self.arn.split(":")[6]


@dataclass(frozen=True)
class Permission:
    """What IAM's simulator says about one action of the reconcile role."""

    sid: str
    action: str
    decision: str
