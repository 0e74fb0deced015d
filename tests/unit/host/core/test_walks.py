"""Random walks of a slot over two hosts: nothing ever starts without the grant, and it settles."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from picoha.domain.model import AgentPhase, InstanceId, Pico
from picoha.domain.record import OrderVerb, Phase
from picoha.host.core.ports import ScriptVerb
from unit.host.fakes import EC1, EC2, EC_ASSIGNMENT, FakeHost, Table, Time, granted

TWO = replace(EC_ASSIGNMENT, picos=(EC1, EC2))


class Walk:
    """Two hosts, one slot, and a referee at every script that is begun."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.table, self.clock = Table(granted(assignment=TWO)), Time()
        self.hosts = [FakeHost(self.table, self.clock, name, picos=(EC1, EC2)) for name in ("i-1", "i-2")]
        self.orders = 0
        for host in self.hosts:
            host.scripts.takes_s = self.chance.choice([1.0, 15.0, 40.0])
            host.scripts.watch = self.referee(host)

    def referee(self, host: FakeHost) -> Callable[[ScriptVerb, Pico | None], None]:
        def look(verb: ScriptVerb, pico: Pico | None) -> None:
            record, me = self.table.record, host.me.instance
            grants = record.holder == me and record.phase in (Phase.GRANTED, Phase.ACTIVE)
            is_ordered = record.order is not None and record.order.instance == me
            if verb is ScriptVerb.ONLINE:
                kept = host.disk.kept
                assert grants and (record.is_armed or is_ordered) and not host.cloud.is_cut
                assert kept is not None and (kept.epoch, kept.boot_id) == (record.epoch, host.me.boot_id)
                assert host.cloud.taken[-1] == record.epoch, "it was taken by the conditional write"
            elif (
                verb is ScriptVerb.OFFLINE and pico == EC2
            ):  # the first of a stop; one that began is finished
                assert not grants or is_ordered or host.cloud.is_cut

        return look

    def step(self) -> None:
        """Let one thing happen that a controller, an operator or the weather may do."""
        host = self.chance.choice(self.hosts)
        events: list[Callable[[], object]] = [
            self.grant_next,
            lambda: self.table.write(phase=Phase.IN_FAILOVER, order=None),
            lambda: self.table.write(is_armed=not self.table.record.is_armed),
            lambda: self.order(OrderVerb.RESTART),
            lambda: self.order(OrderVerb.DRAIN),
            lambda: setattr(host.cloud, "is_cut", not host.cloud.is_cut),
            lambda: host.boot(f"boot-{self.chance.random()}"),
            host.restart_agent,
            lambda: host.scripts.codes.update(ec2=self.chance.choice([100, 110, None, 99])),
        ]
        self.chance.choice(events)()

    def grant_next(self) -> None:
        """Grant the next epoch, to either host."""
        epoch, holder = self.table.record.epoch + 1, InstanceId(self.chance.choice(["i-1", "i-2"]))
        self.table.write(epoch=epoch, holder=holder, phase=Phase.GRANTED, order=None)

    def order(self, verb: OrderVerb) -> None:
        self.orders += 1
        self.table.order(verb, f"o-{self.orders}")

    def cycles(self, count: int) -> None:
        for _ in range(count):
            for host in self.chance.sample(self.hosts, 2):
                host.cycles()


@pytest.mark.parametrize("seed", range(150))
def test_nothing_starts_without_the_grant_and_the_slot_settles(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(25):
        walk.step()
        walk.cycles(walk.chance.randrange(4))
    for host in walk.hosts:
        host.cloud.is_cut = False
    walk.table.write(is_armed=True)
    walk.grant_next()
    walk.cycles(60)
    holder = walk.table.record.holder
    for host in walk.hosts:
        report = walk.table.rows[host.me.instance]
        if host.me.instance == holder:
            assert (report.phase, report.is_healthy) == (AgentPhase.RUNNING, True)
        else:
            assert report.phase in (AgentPhase.OFFLINE, AgentPhase.WAITING)
            assert 110 not in host.scripts.codes.values()
