"""Two agents race for one grant: every call to the table is a point where the other may run instead."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from threading import Semaphore, Thread

import pytest

from picoha.domain.model import InstanceId, Report
from picoha.domain.record import Phase, SlotRecord
from picoha.host.core.ports import ScriptVerb, SlotAnswer, TakeAnswer
from unit.host.fakes import FakeHost, HostCloud, Table, Time, granted

INTERLEAVINGS = 1000
NAMES = ("i-1", "i-2")


class Turns:
    """Lets one of several threads run at a time; a seed says which, at every call to the table."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._go: dict[str, Semaphore] = {}
        self._back = Semaphore(0)
        self._ended: set[str] = set()
        self.order: list[str] = []

    def wait(self, name: str) -> None:
        """Give the turn back and wait for the next."""
        self._back.release()
        self._go[name].acquire()

    def play(self, actors: dict[str, Callable[[], object]]) -> None:
        """Run every actor to its end, in turns."""
        self._go, self._ended = {name: Semaphore(0) for name in actors}, set()
        threads = [Thread(target=self._run, args=item, daemon=True) for item in actors.items()]
        for thread in threads:
            thread.start()
        left = list(actors)
        while left:
            name = self._chance.choice(left)
            self.order.append(name)
            self._go[name].release()
            self._back.acquire()
            left = [one for one in left if one not in self._ended]
        for thread in threads:
            thread.join()

    def _run(self, name: str, act: Callable[[], object]) -> None:
        self._go[name].acquire()
        try:
            act()
        finally:
            self._ended.add(name)
            self._back.release()


class TurnCloud(HostCloud):
    """A host's cloud that gives the turn away before every call, and after a read: its answer may be old."""

    turns: Turns

    def read_slot(self) -> SlotAnswer:
        self.turns.wait(self.me)
        answer = super().read_slot()
        self.turns.wait(self.me)
        return answer

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        self.turns.wait(self.me)
        return super().take(record, report)

    def put_report(self, report: Report) -> bool:
        self.turns.wait(self.me)
        return super().put_report(report)


class Race:
    """One interleaving: two hosts, and a controller that grants the slot to them in some order."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.turns = Turns(self.chance)
        self.table, clock = Table(granted(holder=None, epoch=0, phase=Phase.VACANT)), Time()
        self.hosts = [FakeHost(self.table, clock, name) for name in NAMES]
        self.begun: list[tuple[str, int]] = []
        self.late: list[tuple[str, int]] = []
        for host in self.hosts:
            self._wire(host)
        self.grants = self.chance.choices(NAMES, k=self.chance.randint(1, 3))

    def _wire(self, host: FakeHost) -> None:
        cloud = TurnCloud(self.table, host.me.instance)
        cloud.turns = self.turns
        host.cloud = cloud
        object.__setattr__(host.ports, "cloud", cloud)
        host.scripts.takes_s = self.chance.choice((0.0, 5.0, 25.0))
        host.scripts.watch = lambda verb, pico: self._note(verb, host)
        host.restart_agent()

    def _note(self, verb: ScriptVerb, host: FakeHost) -> None:
        if verb is ScriptVerb.ONLINE:
            assert host.disk.kept is not None
            self.begun.append((host.me.instance, host.disk.kept.epoch))
            record = self.table.record
            if (record.holder, record.epoch) != self.begun[-1]:
                self.late.append(self.begun[-1])

    def run(self, grants: Sequence[str]) -> None:
        def control() -> None:
            for epoch, holder in enumerate(grants, 1):
                self.turns.wait("controller")
                self.table.write(holder=InstanceId(holder), epoch=epoch, phase=Phase.GRANTED)

        actors: dict[str, Callable[[], object]] = {"controller": control}
        actors.update({host.me.instance: _life(host, self.chance.randint(2, 5)) for host in self.hosts})
        self.turns.play(actors)
        self.turns.play({host.me.instance: _life(host, 14) for host in self.hosts})


def _life(host: FakeHost, cycles: int) -> Callable[[], object]:
    return lambda: host.cycles(cycles)


@pytest.mark.parametrize("block", range(10))
def test_exactly_one_host_starts_for_each_epoch_and_the_last_holder_alone_runs(block: int) -> None:
    each = INTERLEAVINGS // 10
    overtaken, orders = 0, set()
    for seed in range(block * each, (block + 1) * each):
        race = Race(seed)
        race.run(race.grants)
        assert not race.late, f"seed {seed}: started after the slot had gone on: {race.late}"
        begun = [epoch for _, epoch in race.begun]
        assert len(begun) == len(set(begun)), f"seed {seed}: an epoch was started twice: {race.begun}"
        running = [host.me.instance for host in race.hosts if host.scripts.codes["ec1"] == 110]
        assert running == [race.grants[-1]], f"seed {seed}: {running} run, {race.grants} were granted"
        orders.add(tuple(race.turns.order))
        overtaken += len(race.grants) > len(race.begun)
    assert len(orders) == each, "every seed must be an interleaving of its own"
    assert overtaken, "some grants must have been overtaken, or nothing raced"
