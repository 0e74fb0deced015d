"""The real records in a canonical form, numbered, so that a state can hold them as integers.

Time is abstract: what was just written is FRESH, and one event makes the open step AGED, past every
deadline. Versions are not numbers: whether a worker's version was overtaken is known when it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from builders import ago
from picoha.domain.model import EvidenceKind, InstanceId
from picoha.domain.record import Brake, Operation, Order, SlotRecord, Step

T = TypeVar("T")

FRESH, OLD, AGED = ago(1), ago(86400), ago(10 * 86400)
ORDER = "order"
VER = 7
"""The version of every canonical record: only "overtaken or not" matters, never the number."""


class Shelf(Generic[T]):
    """Values by number; values with equal keys share one."""

    def __init__(self, key: Callable[[T], object] = lambda one: one) -> None:
        self._key = key
        self._numbers: dict[object, int] = {}
        self._values: list[T] = []

    def put(self, value: T) -> int:
        """Return the number of this value, a new one if it was never seen."""
        key = self._key(value)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._values)
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)


class Plan(NamedTuple):
    """One decision as a worker carries it out: what it commits, then what it sends.

    Records, brakes and actions are numbers on their shelves, -1 for none; machines are numbers.
    """

    said: str
    rule: int
    after: int = -1
    brake: int = -1
    mode: int = -1
    pins_mode: bool = False
    actions: tuple[int, ...] = ()
    grant: int = -1
    epoch: int = 0
    evidence: tuple[tuple[int, EvidenceKind], ...] = ()
    proven: tuple[int, ...] = ()
    victims: int = 0
    consumes: bool = False
    takes: bool = False
    admits: str = ""
    brake_limit: int = 0
    flaw: str = ""

    @property
    def commits(self) -> bool:
        """True for a plan that writes before it sends."""
        return self.after >= 0


def instance(n: int) -> InstanceId:
    """The id of a machine."""
    return InstanceId(f"i-{n}")


def number(one: InstanceId) -> int:
    """The machine of an id."""
    return int(one.removeprefix("i-"))


def bits(instances: tuple[InstanceId, ...]) -> int:
    """The machines of these ids as a set of bits."""
    return sum({1 << number(one) for one in instances})


def canonical(record: SlotRecord) -> SlotRecord:
    """The record without versions, clocks, counters of names, messages and paging."""
    return replace(
        record,
        ver=VER,
        operation=_operation(record.operation) if record.operation else None,
        order=_order(record.order),
        attention=None,
        outbox=(),
        restarts=(),
        ended_at=None,
        ended_zone="",
        active_since=OLD if record.active_since else None,
        granted_at=OLD if record.granted_at else None,
        would_have="",
        operations=0,
        sent={},
        held={one: FRESH for one in sorted(record.held)},
    )


def _operation(op: Operation) -> Operation:
    return replace(
        op,
        id="op",
        opened_at=FRESH,
        step_at=AGED if op.step_at == AGED else FRESH,
        rule=0,
        reason="",
        from_epoch=0,
        trail=_trail(op),
        intents={},
        journal=0,
        zone="",
    )


def _trail(op: Operation) -> Mapping[str, datetime]:
    """What was seen since the last grant; the rest of the trail is for people."""
    since = op.trail.get(Step.VERIFYING)
    if since is None or Step.VERIFYING not in (op.step, op.stuck_in):
        return {}
    return {name: FRESH for name, at in sorted(op.trail.items()) if at >= since}


def _order(order: Order | None) -> Order | None:
    return replace(order, id=ORDER, at=FRESH) if order else None


def canonical_brake(brake: Brake) -> Brake:
    """The brake with its admissions counted, all of them lately."""
    admitted = {slot: tuple(FRESH for _ in times) for slot, times in sorted(brake.admitted.items())}
    return replace(brake, ver=VER, admitted=admitted, opened_because="")


def aged(record: SlotRecord) -> SlotRecord | None:
    """The record once its open step is past its deadline, or None where nothing would change."""
    op = record.operation
    if op is None or op.step in (Step.NEEDS_OPERATOR, Step.DONE, Step.ABORTED) or op.step_at == AGED:
        return None
    return replace(record, operation=replace(op, step_at=AGED))
