"""What picoha remembers: the slot's record, its open operation, and the cell's mode and brake.

The items of design.md 7. A record changes only by a conditional write on the `ver` that was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from picoha.domain.model import InstanceId, Kind, Pico, SlotName

CONTROLLER = "controller"
"""The `by` of everything that no human ordered."""
RECOVERY_RULE = 401
"""The rule that admits a failover of a slot whose holder is proven off already."""
SCHEMA = 1
"""The record layout this code understands; a greater one is left alone (safety S15)."""


class Mode(StrEnum):
    """Whether the controller may take. Missing or unreadable counts as observe (design.md 6)."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


class Phase(StrEnum):
    """Who has a slot: nobody, a grantee not yet verified, an active holder, or a failover."""

    VACANT = "vacant"
    GRANTED = "granted"
    ACTIVE = "active"
    IN_FAILOVER = "in-failover"


class Verb(StrEnum):
    """What an operation is for."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    FIRST_GRANT = "first-grant"


class Step(StrEnum):
    """The steps of one operation, in order; NEEDS_OPERATOR can follow any of them."""

    DRAINING = "draining"
    FENCING = "fencing"
    AWAITING_HOST = "awaiting-host"
    ADDRESSING = "addressing"
    RELEASING = "releasing"
    VERIFYING = "verifying"
    NEEDS_OPERATOR = "needs-operator"
    DONE = "done"
    ABORTED = "aborted"


@dataclass(frozen=True)
class Intent:
    """One effect that was ordered: its journal number and when it was sent (first, last, often)."""

    number: int
    first_at: datetime
    sent_at: datetime
    sends: int = 1


@dataclass(frozen=True)
class Operation:
    """One failover, switchover or first grant, from admission to its end."""

    id: str
    verb: Verb
    step: Step
    opened_at: datetime
    step_at: datetime
    rule: int
    reason: str
    from_epoch: int
    victim: InstanceId | None = None
    victims: tuple[InstanceId, ...] = ()
    target: InstanceId | None = None
    attempt: int = 0
    by: str = "controller"
    stuck_in: Step | None = None
    trail: Mapping[str, datetime] = field(default_factory=dict)
    intents: Mapping[str, Intent] = field(default_factory=dict)
    journal: int = 0
    zone: str = ""

    @property
    def is_automatic(self) -> bool:
        """True for a failover that no operator ordered."""
        return self.verb is Verb.FAILOVER and self.by == CONTROLLER

    @property
    def is_recovery(self) -> bool:
        """True where the holder went without picoha's doing: nothing was taken, so no limit counts it."""
        return self.rule == RECOVERY_RULE

    @property
    def is_ended(self) -> bool:
        """True once nothing more will be done."""
        return self.step in (Step.DONE, Step.ABORTED)


@dataclass(frozen=True)
class Assignment:
    """All a host must know to be this slot; the controller renews it from the tags."""

    kind: Kind
    hostname: str
    container: str
    picos: tuple[Pico, ...]
    platform_hostname: str = ""
    platform_address: str | None = None
    tests: tuple[str, ...] = ()


class OrderVerb(StrEnum):
    """What the controller may ask of an agent."""

    RESTART = "restart"
    DRAIN = "drain"


@dataclass(frozen=True)
class Order:
    """A token for one agent; done once, for this instance and epoch only (design.md 8)."""

    id: str
    verb: OrderVerb
    instance: InstanceId
    epoch: int
    at: datetime


@dataclass(frozen=True)
class HoldNotice:
    """The rule that holds a slot and since when, so that a human is told once (design.md 6)."""

    rule: int
    since: datetime
    notified_at: datetime | None = None


@dataclass(frozen=True)
class Notice:
    """A message in the outbox until it is published at least once; its last fields are for machines."""

    id: str
    at: datetime
    severity: str
    subject: str
    text: str
    slot: SlotName | None = None
    event: str = ""
    operation: str = ""
    rule: int = 0


@dataclass(frozen=True)
class SlotRecord:
    """Everything remembered about one slot; `ver` is the version that a write expects to find."""

    slot: SlotName
    ver: int = 0
    schema: int = SCHEMA
    epoch: int = 0
    holder: InstanceId | None = None
    phase: Phase = Phase.VACANT
    is_armed: bool = False
    assignment: Assignment | None = None
    unfenced: tuple[InstanceId, ...] = ()
    operation: Operation | None = None
    order: Order | None = None
    attention: HoldNotice | None = None
    outbox: tuple[Notice, ...] = ()
    restarts: tuple[datetime, ...] = ()
    ended_at: datetime | None = None
    ended_zone: str = ""
    active_since: datetime | None = None
    granted_at: datetime | None = None
    would_have: str = ""
    operations: int = 0
    held: Mapping[str, datetime] = field(default_factory=dict)
    sent: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Grant:
    """The durable row of one grant; its key (slot, epoch) exists once (safety S1)."""

    slot: SlotName
    epoch: int
    holder: InstanceId
    at: datetime


@dataclass(frozen=True)
class Pause:
    """A stop for one slot, or for the cell under the key `*`: why, by whom, until when."""

    reason: str
    by: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class ModeRecord:
    """The cell's mode and pauses. Version 0 means that no such item exists yet."""

    ver: int = 0
    schema: int = SCHEMA
    mode: Mode = Mode.OBSERVE
    since: datetime | None = None
    pauses: Mapping[str, Pause] = field(default_factory=dict)


@dataclass(frozen=True)
class Brake:
    """Automatic failovers admitted lately, for the limits of design.md 6."""

    ver: int = 0
    schema: int = SCHEMA
    admitted: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    is_open: bool = False
    opened_because: str = ""
    storm_released_until: datetime | None = None


class RequestVerb(StrEnum):
    """What an operator may ask of the loop."""

    SWITCHOVER = "switchover"
    FAILOVER = "failover"
    CONFIRM_FENCED = "confirm-fenced"
    RETRY = "retry"
    ABORT = "abort"
    ADOPT = "adopt"


@dataclass(frozen=True)
class Request:
    """One operator's request, consumed once by the loop."""

    id: str
    verb: RequestVerb
    slot: SlotName
    by: str
    reason: str
    at: datetime
    instance: InstanceId | None = None
    schema: int = SCHEMA


@dataclass(frozen=True)
class HistoryRow:
    """One line of history: what happened, by which rule, on what evidence.

    `snapshot` is the packed observation of a decision that began or refused something; `request` is
    the operator's request that it answered; `verb` is the operation's, empty in rows older than this field.
    """

    at: datetime
    slot: SlotName
    ver: int
    rule: int
    event: str
    sentence: str
    mode: Mode
    operation: str = ""
    evidence: str = ""
    snapshot: str = ""
    request: str = ""
    verb: str = ""
