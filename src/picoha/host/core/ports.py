"""What the agent needs from the outside, as small protocols; no adapter raises into a cycle.

The drill replaces the scripts, the clock and the wire; everything else of a host is this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from picoha.domain.model import InstanceId, Pico, Report, SlotName
from picoha.domain.record import SlotRecord


@dataclass(frozen=True)
class Identity:
    """Who this host is: cell and slot from its own tags, the rest from instance metadata."""

    cell: str
    slot: SlotName
    instance: InstanceId
    boot_id: str
    zone: str
    private_ip: str


class AgentClock(Protocol):
    """Time: aware UTC for what is written down, monotonic seconds for what is waited for."""

    def now(self) -> datetime:
        """The wall clock, with a time zone."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


@dataclass(frozen=True)
class CloudUnreachable:
    """The table did not answer; `reason` says how."""

    reason: str


@dataclass(frozen=True)
class NoRecord:
    """The table answered: this slot has no record, so nothing is managed."""


@dataclass(frozen=True)
class NotUnderstood:
    """The table answered with something this version must leave alone (safety S15)."""

    reason: str


@dataclass(frozen=True)
class Taken:
    """The grant is this host's: the record still named it when its row was written."""


@dataclass(frozen=True)
class Refused:
    """The record no longer grants the slot to this instance at this epoch."""

    reason: str


SlotAnswer: TypeAlias = SlotRecord | NoRecord | NotUnderstood | CloudUnreachable
TakeAnswer: TypeAlias = Taken | Refused | CloudUnreachable


class Cloud(Protocol):
    """The table and the metric, for one host."""

    def read_slot(self) -> SlotAnswer:
        """Read this slot's record, strongly consistent."""
        ...

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        """Write `report` only if the record still grants `record.epoch` to its instance."""
        ...

    def put_report(self, report: Report) -> bool:
        """Write this host's row; False when it was not written."""
        ...

    def publish(self, value: float) -> bool:
        """Publish one `Healthy` datapoint, 1.0 or 0.0; False when it was not published."""
        ...


class ScriptVerb(StrEnum):
    """What can be run on a host. `republish` and the hooks concern no single pico."""

    ONLINE = "online"
    OFFLINE = "offline"
    CLEAN = "clean"
    REPUBLISH = "republish"
    PRE_START = "pre-start"
    POST_START = "post-start"


@dataclass(frozen=True)
class JobResult:
    """How a script ended; `code` is None when it was killed for taking too long."""

    code: int | None
    output: str = ""


class Job(Protocol):
    """A running script. The agent asks and never waits."""

    def poll(self) -> JobResult | None:
        """The result, or None while the script runs."""
        ...

    def stop(self) -> None:
        """Kill the script and everything it started in its group; picos are not in it."""
        ...


class Scripts(Protocol):
    """The vendor's scripts and the owner's hooks (domain.md 2.2, 2.4)."""

    def monitor_all(self, picos: Sequence[Pico]) -> Mapping[str, int | None]:
        """Ask every pico once, together, within one time limit; None = no answer in time."""
        ...

    def begin(self, verb: ScriptVerb, pico: Pico | None, script_environment: Mapping[str, str]) -> Job | None:
        """Start a script; None where this host has none for the verb: fine for all but picos."""
        ...


class HostsFile(Protocol):
    """The hosts file of this host."""

    def read(self) -> str:
        """The whole text; raises OSError."""
        ...

    def replace(self, text: str) -> None:
        """Replace the whole file at once, or not at all; raises OSError."""
        ...


class Resolver(Protocol):
    """The system resolver, the one that the picos use."""

    def resolve(self, name: str) -> str | None:
        """The first address of a name, or None."""
        ...


class Reach(Protocol):
    """The witness: can this host open a TCP connection."""

    def connects(self, name: str, port: int, timeout_s: float) -> bool:
        """True once connected within the time limit; refused and silent are both False."""
        ...


@dataclass(frozen=True)
class Unreadable:
    """The product's own properties could not be read; `reason` says why (H26)."""

    reason: str


@dataclass(frozen=True)
class BreakGlass:
    """A named human's order to start without the controller: who, why and since when."""

    by: str
    reason: str
    at: datetime

    def __str__(self) -> str:
        return f"BREAK-GLASS since {self.at:%Y-%m-%d %H:%M:%S} UTC by {self.by}: {self.reason}"


Properties: TypeAlias = Callable[[], Mapping[str, str] | Unreadable]


class Checks(Protocol):
    """Questions about this host that only it can answer."""

    def container(self) -> str | None:
        """The product's `MZ_CONTAINER` here, or None where it cannot be told."""
        ...

    def run(self, tests: Sequence[str]) -> Mapping[str, bool]:
        """Whether each `tcp:` or `mount:` dependency answers, each within its time limit."""
        ...


@dataclass(frozen=True)
class SavedState:
    """What the agent keeps on its own disk, for one instance; a copied image starts afresh.

    `epoch` was taken in the boot `boot_id`. `may_run` is true from the first take until the
    picos were stopped. `record` is the last one understood; `is_missing` says that the table has
    none now, `has_read` that it ever answered here. `platform_key` names the last Platform start,
    `republished_key` the last one after which SC services were republished.
    """

    slot: SlotName
    instance: InstanceId
    epoch: int = 0
    boot_id: str = ""
    highest_epoch: int = 0
    has_read: bool = False
    is_missing: bool = False
    record: SlotRecord | None = None
    is_started: bool = False
    may_run: bool = False
    drained_epoch: int = 0
    order_seen: str | None = None
    order_done: str | None = None
    order_result: str = ""
    starts: int = 0
    platform_key: str = ""
    republished_key: str = ""
    hostnames: tuple[str, ...] = ()


class Disk(Protocol):
    """The agent's own small state, kept across restarts and reboots."""

    def load(self) -> SavedState | None:
        """What was saved, or None; a damaged file is None."""
        ...

    def save(self, kept: SavedState) -> None:
        """Replace what was saved, durably; raises OSError."""
        ...


@dataclass(frozen=True)
class AgentPorts:
    """All of the outside that one agent uses."""

    clock: AgentClock
    cloud: Cloud
    scripts: Scripts
    hosts_file: HostsFile
    resolver: Resolver
    reach: Reach
    disk: Disk
    checks: Checks | None = None
    properties: Properties | None = None
    break_glass: Callable[[], BreakGlass | None] | None = None
