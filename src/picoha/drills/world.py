"""The whole world of a drill: the account, its hosts and the referee, in virtual time.

Doorbells go to whoever listens on `ring`: the drill puts the Lambda handler there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from picoha.adapters.aws.clients import Clients
from picoha.domain.model import Pico, SlotName
from picoha.drills.account import Account, HostTimes, JoinedService
from picoha.drills.hosts import DrillHost
from picoha.drills.referee.referee import Referee
from picoha.fakeaws.autoscaling.group import Group
from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.ec2.instances import Instance, Timings


class _Watched(JoinedService):
    """A service as the controller reaches it: the referee looks on, late requests included."""

    def __init__(self, service: JoinedService, referee: Referee) -> None:
        """A story may replace an operation later, so each is looked up when it is called."""
        plays = {name: partial(self._play, service, name) for name in service.operations}
        self.operations = {name: referee.watched(name, play) for name, play in plays.items()}

    def _play(self, service: JoinedService, name: str, params: dict[str, Any]) -> Any:
        return service.operations[name](params)


class World(Account):
    """The account with all that happens in it: hosts that boot and die, and the referee who looks on."""

    hosts: dict[str, DrillHost]

    def __init__(
        self,
        cell: str,
        seed: int = 0,
        timings: Timings | None = None,
        times: HostTimes | None = None,
        latency_s: float = 0.05,
        is_short: bool = False,
    ) -> None:
        super().__init__(cell, seed, timings, times, latency_s, is_short)
        self.hosts = {}
        self.referee = Referee(self)
        self.on_picos.append(self.referee.look)
        self.watched: Mapping[str, JoinedService] = {
            name: _Watched(service, self.referee) for name, service in self.services.items()
        }
        self.controller = Clients(fake_session(self.watched, self.gate, is_short=is_short))
        self.ec2.on_state.append(self._on_state)
        self.ec2.on_die.append(self._on_die)

    # -- hosts

    def _on_state(self, instance: Instance, old: str, new: str) -> None:
        if "picoha:slot" not in instance.tags:
            return
        host = self.hosts.setdefault(instance.id, DrillHost(self, instance))
        if new == "running" and instance.alive:
            host.boot()
        elif new in ("shutting-down", "stopping") and host.is_up and not instance.skip_os_shutdown:
            host.shut_down()
        elif new in ("stopped", "terminated"):
            host.halt()

    def _on_die(self, instance: Instance) -> None:
        if instance.id in self.hosts:
            self.hosts[instance.id].halt()

    def holder(self, slot: str) -> DrillHost:
        """Return the host that the record names as the slot's holder; raises LookupError."""
        record = self.records().get(SlotName(slot))
        if record is None or record.holder not in self.hosts:
            raise LookupError(f"slot {slot} has no holder in a drill")
        return self.hosts[record.holder]

    def add_group(self, group: Group, picos: tuple[Pico, ...]) -> None:
        """Create a slot's group; its launches begin at once."""
        self.declared[SlotName(group.tags["picoha:slot"])] = picos
        self.autoscaling.add(group)
