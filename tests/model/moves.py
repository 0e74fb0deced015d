"""Everything in a world that moves without the controller: AWS, hosts behind the real start gate, people."""

from __future__ import annotations

from collections.abc import Iterator

from model.decider import Decider
from model.flaws import abandons_holder
from model.memory import instance, number
from model.world import (
    ACTIVE,
    DUE,
    HUNG,
    NO_ADDRESS,
    OFF,
    PAUSED,
    RUNNING,
    SERVING,
    SHUTTING,
    TERMINATED,
    WILD,
    Machine,
    Step,
    World,
    nature,
    requests,
    with_machine,
)
from picoha.domain.record import Phase, SlotRecord
from picoha.domain.record import Step as OpStep
from picoha.host.core import gate
from picoha.host.core.gate import Entitlement
from picoha.host.core.ports import SavedState

BOOT = "boot-1"


class Moves:
    """The steps of everybody but the two workers, under one decider."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._is_gated = decider.layers.start_gate

    def of(self, world: World) -> Iterator[Step]:
        """Yield every step; a change of mode is not among them (world.modes)."""
        record = self._decider.records[world.record]
        for step in nature(world, self._decider.setting):
            yield step._replace(
                broke=abandons_holder(record, world, step.world) if "hook" in step.said else ""
            )
        for n, machine in enumerate(world.machines):
            yield from self._host(world, record, n, machine)
        older = self._decider.aged(world.record)
        if older >= 0:
            yield Step("clock: the open step is past its deadline", world._replace(record=older))
        yield from requests(world, self._decider.setting)

    def _host(self, world: World, record: SlotRecord, n: int, machine: Machine) -> Iterator[Step]:
        if machine.picos == DUE and machine.power in (RUNNING, SHUTTING):
            yield self._start(world, n, "starts its picos")
        if machine.power != RUNNING:
            return
        if not self._is_gated:
            if machine.picos == OFF:
                yield self._start(world, n, "starts its picos at boot")
            return
        kept = _kept(record, n, machine)
        stand, _ = gate.stance(kept, machine.picos >= ACTIVE)
        if stand is Entitlement.OPEN and machine.picos == OFF:
            yield Step(f"host {n}: picos start behind the open gate", with_machine(world, n, picos=WILD))
        if gate.is_mine(record, kept) and not gate.is_held(kept, record, BOOT):
            yield from _take(world, record, n, stand)
        yield from _stop(world, record, n, stand)

    def _start(self, world: World, n: int, said: str) -> Step:
        """A gated start; whoever else is active then is one too many (S3)."""
        counted = (ACTIVE, WILD) if self._decider.setting.counts_wild else (ACTIVE,)
        others = [
            str(m)
            for m, one in enumerate(world.machines)
            if m != n and one.picos in counted and one.power in (RUNNING, SHUTTING)
        ]
        broke = f"S3: {n} becomes active beside {', '.join(others)}" if others else ""
        return Step(f"host {n} {said}", with_machine(world, n, picos=ACTIVE), broke)

    def is_settled(self, world: World) -> bool:
        """True when nothing is left to do: the holder serves, or a human has the word.

        An open breaker ends nothing that was admitted before it opened.
        """
        record = self._decider.records[world.record]
        op = record.operation
        if op is not None:
            return op.step is OpStep.NEEDS_OPERATOR
        if self._decider.brakes[world.brake].is_open or _is_left_vacant(record, world):
            return True
        if record.phase is not Phase.ACTIVE or record.holder is None:
            return False
        n = number(record.holder)
        machine = world.machines[n]
        is_serving = machine.power == RUNNING and machine.picos >= ACTIVE
        return is_serving and world.address in (NO_ADDRESS, n)


def _is_left_vacant(record: SlotRecord, world: World) -> bool:
    """An aborted operation: VACANT ends it while its pause lasts, and where rule 511 or 531 pages.

    That is, while evidence is owed, where EC2 shows a machine as going for ever, or where a member in
    service has no picos: `picoha adopt` goes on. A world whose machines are used up has no more to come.
    """
    idle = any(
        machine.power == RUNNING and machine.place == SERVING and machine.picos < ACTIVE
        for machine in world.machines
    )
    hangs = any(machine.power == HUNG for machine in world.machines)
    is_spent = all(machine.power == TERMINATED for machine in world.machines)
    is_told = bool(record.unfenced) or idle or hangs
    return record.phase is Phase.VACANT and (is_told or is_spent or bool(world.mode & PAUSED))


def _kept(record: SlotRecord, n: int, machine: Machine) -> SavedState:
    return SavedState(
        slot=record.slot,
        instance=instance(n),
        epoch=machine.taken,
        boot_id=BOOT,
        highest_epoch=machine.taken,
        has_read=True,
        record=record,
        is_started=machine.picos >= ACTIVE,
        may_run=machine.picos != OFF,
    )


def _take(world: World, record: SlotRecord, n: int, stand: Entitlement) -> Iterator[Step]:
    """One transaction checks the record and notes the epoch; the start comes later, at any time."""
    said = f"host {n} takes epoch {record.epoch}"
    if stand is Entitlement.OPEN:
        yield Step(said, with_machine(world, n, taken=record.epoch))
    elif stand is Entitlement.MINE:
        picos = ACTIVE if world.machines[n].picos >= ACTIVE else DUE
        yield Step(said, with_machine(world, n, taken=record.epoch, picos=picos))


def _stop(world: World, record: SlotRecord, n: int, stand: Entitlement) -> Iterator[Step]:
    machine, order = world.machines[n], record.order
    if stand is Entitlement.LOST and machine.picos != OFF:
        yield Step(f"host {n} stops its picos: the slot is another's", with_machine(world, n, picos=OFF))
    is_ordered = order is not None and (order.instance, order.epoch) == (instance(n), machine.taken)
    if is_ordered and machine.picos >= ACTIVE:
        yield Step(f"host {n} stops its picos as ordered", with_machine(world, n, picos=OFF))
