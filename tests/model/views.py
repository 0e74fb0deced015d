"""What one look of a worker may show of a world: the truth, something older, or a contradiction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from model.memory import instance, number
from model.world import (
    ABSENT,
    ACTIVE,
    FREE,
    HUNG,
    NO_ADDRESS,
    OFF,
    RUNNING,
    SHUTTING,
    TERMINATED,
    WARMING,
    Machine,
    World,
)
from picoha.domain.model import InstanceId
from picoha.domain.record import Phase, SlotRecord, Step

GONE = 5
"""Power as seen: EC2 shows the machine no more, and its group's activities say it was terminated."""
SILENT, WAITING, HEALTHY, DRAINED = range(4)
"""What a host's newest report says; SILENT is a report too old to count."""

DOUBTS = {
    "reached": "S11: a witness connects to the silent Platform",
    "canary": "S11: the canary is dead",
    "metric": "S11: the metric could not be read",
    "status": "S11: the status checks could not be read",
    "leaving": "S11: it reported an orderly shutdown",
}
"""Signals of a silent holder that EC2 shows running, on which nothing may be admitted."""
LIMITS = {
    "young": "S8: the host is new",
    "planned": "S8: AWS plans an event on it",
    "storm": "S8: every slot of the cell is bad",
    "busy": "S8: another execution slot is failing over",
    "shape": "S12: the group is not 1/1/1",
}
"""Signals on which nothing may be taken."""
WAITS = {
    "dependency": "S8: a dependency is down",
    "unsure": "S11: a dependency could not be read",
    "platform": "order: the Platform is not active",
}
"""Signals on which not even the replacement of a proven dead holder may begin."""
DEAF = {"memory": "S11: the table could not be read", "newer": "S15: the record is newer"}
"""Signals on which nothing at all may be done."""
BLIND = ("hosts", "group", "address")
"""A read that failed."""
_NOT_OF_PLATFORM, _OF_PLATFORM_ONLY = ("busy", "platform"), ("reached",)


class Shown(NamedTuple):
    """One machine as seen."""

    power: int
    place: int
    told: int
    taken: int


class View(NamedTuple):
    """All that one observation consists of; equal views are decided once."""

    record: int
    brake: int
    mode: int
    asked: int
    shown: tuple[Shown, ...]
    address: int
    signal: str


def views(world: World, record: SlotRecord) -> Iterator[View]:
    """Yield every sight that a worker can have of this world while AWS answers all its reads."""
    plain = View(world.record, world.brake, world.mode, world.asked, (), world.address, "")
    told = [_told(one, n, record) for n, one in enumerate(world.machines)]
    suspects = {number(one) for one in (*record.unfenced, *_target(record))}
    powers = [_powers(one, n in suspects) for n, one in enumerate(world.machines)]
    signals = _signals(world, record)
    for seen in product(*powers):
        shown = tuple(Shown(seen[n], one.place, told[n], one.taken) for n, one in enumerate(world.machines))
        for address in _addresses(world, record):
            for signal in signals:
                yield plain._replace(shown=shown, address=address, signal=signal)


def contradictions(world: World, record: SlotRecord) -> Iterator[View]:
    """Yield the sights on which nothing, or nothing new, may be done; all else is seen as it is."""
    shown = tuple(
        Shown(SHUTTING if one.power == HUNG else one.power, one.place, _told(one, n, record), one.taken)
        for n, one in enumerate(world.machines)
    )
    plain = View(world.record, world.brake, world.mode, world.asked, shown, world.address, "")
    never = (*DOUBTS, *LIMITS, *WAITS) if is_settled(record) else BLIND
    other = _OF_PLATFORM_ONLY if world.address == NO_ADDRESS else _NOT_OF_PLATFORM
    for signal in (*DEAF, *never):
        if signal not in other:
            yield plain._replace(signal=signal)


def is_settled(record: SlotRecord) -> bool:
    """True for a record with an active holder and no operation: only then its health is judged."""
    return record.phase is Phase.ACTIVE and record.operation is None


def _target(record: SlotRecord) -> tuple[InstanceId, ...]:
    op = record.operation
    return (op.target,) if op and op.target else ()


def _powers(machine: Machine, is_suspect: bool) -> tuple[int, ...]:
    """EC2's answer: the truth or any earlier state; a machine that runs may for once be missing.

    Of machines that nobody asks about any more (proven off) the truth is enough.
    """
    if not is_suspect:
        return (SHUTTING if machine.power == HUNG else machine.power,)
    if machine.power == RUNNING:
        return (RUNNING, ABSENT)
    if machine.power in (SHUTTING, HUNG):
        return (SHUTTING, RUNNING)
    return (TERMINATED, GONE, SHUTTING, RUNNING) if machine.power == TERMINATED else (ABSENT,)


def _told(machine: Machine, n: int, record: SlotRecord) -> int:
    if machine.power != RUNNING:
        return SILENT
    if machine.picos >= ACTIVE:
        return HEALTHY
    is_ordered = record.order is not None and record.order.instance == instance(n)
    return DRAINED if is_ordered and machine.picos == OFF else WAITING


def _addresses(world: World, record: SlotRecord) -> tuple[int, ...]:
    """The truth, or, while it is being moved, an answer from before the victim lost it."""
    op = record.operation
    if world.address == FREE and op is not None and op.step is Step.ADDRESSING and op.victim:
        return (FREE, number(op.victim))
    return (world.address,)


def _signals(world: World, record: SlotRecord) -> tuple[str, ...]:
    """Signs of life of the holder, two of which may be false alarms; else, whether reports arrive."""
    if is_settled(record) and record.holder:
        is_well = world.machines[number(record.holder)].picos >= ACTIVE
        return ("well", "failed", "lost") if is_well else ("failed", "lost")
    op = record.operation
    is_waited_for = op is None or Step.VERIFYING in (op.step, op.stuck_in) or op.step is Step.DRAINING
    is_warming = any(machine.place == WARMING for machine in world.machines)
    return ("", "quiet") if is_waited_for or is_warming else ("",)
