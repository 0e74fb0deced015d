"""The whole desk: one account's EC2, Auto Scaling, CloudWatch, SNS, table and hosts, in virtual time.

Real boto3 clients talk to it (`wire`). Doorbells go to whoever listens on `ring`: the drill puts
the Lambda handler there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.items import CELL, HOSTS, report_of, slot_record, table_name, top
from picoha.domain.codec import Undecodable
from picoha.domain.model import Pico, Report, SlotName
from picoha.domain.record import SlotRecord
from picoha.drills.hosts.host import DeskHost, HostTimes, Network
from picoha.drills.referee.referee import Truth
from picoha.fakeaws.autoscaling.api import AutoScaling
from picoha.fakeaws.autoscaling.group import Group
from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, Gate, desk_session
from picoha.fakeaws.cloudwatch.alarms import Alarms
from picoha.fakeaws.cloudwatch.metrics import MetricStore
from picoha.fakeaws.dynamodb.api import Tables
from picoha.fakeaws.ec2.addresses import Addresses
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.ec2.instances import Instance, Timings
from picoha.fakeaws.eventbridge import eventbridge_event
from picoha.fakeaws.rds_and_efs import Databases, FileSystems
from picoha.fakeaws.scheduler import Kernel
from picoha.fakeaws.sns import Topics

EVENT_DELAY_S = 0.5


@dataclass
class Faults:
    """What goes wrong with calls: `before` may raise for (service, operation, params), so may `after`."""

    before: list[Callable[[str, str, dict[str, Any]], None]] = field(default_factory=list)
    after: list[Callable[[str, str, dict[str, Any], Answer], None]] = field(default_factory=list)


class ControllerGate(Gate):
    """Counts the controller's calls, lets each take its time, injects faults."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.calls: Counter[str] = Counter()
        self.faults = Faults()

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Let the call's latency pass, then let a fault stop it."""
        self.calls[operation] += 1
        if self._world.kernel.current is not None and self._world.latency_s:
            self._world.kernel.sleep(self._world.latency_s)
        for fault in self.faults.before:
            fault(service, operation, params)

    def after(self, service: str, operation: str, params: dict[str, Any], answer: Answer) -> None:
        """Let a fault lose the answer."""
        for fault in self.faults.after:
            fault(service, operation, params, answer)


class _Service:
    def __init__(self, *parts: Any) -> None:
        self.operations = {name: play for part in parts for name, play in part.operations.items()}


class _Watched(_Service):
    """A service as the controller reaches it: the referee looks on, late requests included."""

    def __init__(self, service: _Service, truth: Truth) -> None:
        """A story may replace an operation later, so each is looked up when it is called."""
        plays = {name: partial(self._play, service, name) for name in service.operations}
        self.operations = {name: truth.watched(name, play) for name, play in plays.items()}

    def _play(self, service: _Service, name: str, params: dict[str, Any]) -> Any:
        return service.operations[name](params)


class World:
    """One cell's account. `ring(event)` is called for every doorbell delivered; it must not block.

    `latency_s`: how long each call of the controller takes; `is_short`: see `wire`.
    """

    def __init__(
        self,
        cell: str,
        seed: int = 0,
        timings: Timings | None = None,
        times: HostTimes | None = None,
        latency_s: float = 0.05,
        is_short: bool = False,
    ) -> None:
        self.cell, self.latency_s = cell, latency_s
        self.times = times or HostTimes()
        self.kernel = kernel = Kernel(seed)
        self.zero_s = 0.0
        self.owners_start = False
        self.ring: Callable[[Answer], None] = lambda event: None
        self.hosts: dict[str, DeskHost] = {}
        self.declared: dict[SlotName, tuple[Pico, ...]] = {}
        self.bad_starts: dict[str, tuple[int, str]] = {}
        self.unreachable: dict[str, set[str]] = {}
        self.republished: list[tuple[float, str]] = []
        self.alarm_states: list[tuple[float, str, str]] = []
        self.ec2 = Ec2(kernel, self.emit, timings)
        self.addresses = Addresses(self.ec2)
        self.autoscaling = AutoScaling(kernel, self.ec2, self.emit)
        self.metrics = MetricStore(kernel)
        self.topics = Topics(kernel)
        self.topic_arn = self.topics.create(f"picoha-{cell}")
        self.alarms = Alarms(
            kernel, self.metrics, invoke=self._alarm_action, publish=self.topics.publish, emit=self.emit
        )
        self.databases, self.file_systems = Databases(), FileSystems(kernel)
        self.tables = Tables(kernel)
        self.table = self.tables.create(table_name(cell))
        self.truth, self.network = Truth(self), Network(self)
        self._connect(is_short)

    def _connect(self, is_short: bool) -> None:
        """Make the services answer real clients: the controller's, the agents', the story's."""
        self.services: Mapping[str, _Service] = {
            "ec2": _Service(self.ec2),
            "autoscaling": _Service(self.autoscaling),
            "cloudwatch": _Service(self.metrics, self.alarms),
            "sns": _Service(self.topics),
            "rds": _Service(self.databases),
            "efs": _Service(self.file_systems),
            "dynamodb": _Service(self.tables),
        }
        self.gate = ControllerGate(self)
        self.watched: Mapping[str, _Service] = {
            name: _Watched(service, self.truth) for name, service in self.services.items()
        }
        self.agents_gate = Gate()
        self.controller = Clients(desk_session(self.watched, self.gate, is_short=is_short))
        self.agents = Clients(desk_session(self.services, self.agents_gate, is_short=is_short))
        self.admin = Clients(desk_session(self.services))
        self.ec2.on_state.append(self._on_state)
        self.ec2.on_die.append(self._on_die)

    # -- doorbells

    def emit(self, source: str, detail_type: str, detail: Answer, resources: list[str]) -> None:
        """Deliver an EventBridge event that the template's rules match; alarm changes are not among them."""
        if source not in ("aws.ec2", "aws.autoscaling"):
            return
        number = self.kernel.random.getrandbits(64)
        event_id = f"{number:016x}-0000-4000-8000-000000000000"[:36]
        event = eventbridge_event(
            source, detail_type, detail, resources, at=self.kernel.now, event_id=event_id
        )
        self.kernel.at(EVENT_DELAY_S, lambda: self.ring(event))

    def _alarm_action(self, arn: str, event: Answer) -> None:
        data = event["alarmData"]
        self.alarm_states.append((self.kernel.elapsed, data["alarmName"], data["state"]["value"]))
        self.ring(event)

    def tick(self) -> None:
        """Ring the one-minute schedule once."""
        self.ring(
            eventbridge_event(
                "aws.scheduler",
                "Scheduled Event",
                {},
                [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/picoha-{self.cell}-tick"],
                at=self.kernel.now,
                event_id=f"{int(self.kernel.elapsed):08d}-0000-4000-8000-000000000000",
            )
        )

    # -- hosts

    def _on_state(self, instance: Instance, old: str, new: str) -> None:
        if "picoha:slot" not in instance.tags:
            return
        host = self.hosts.setdefault(instance.id, DeskHost(self, instance))
        if new == "running" and instance.alive:
            host.boot()
        elif new in ("shutting-down", "stopping") and host.is_up and not instance.skip_os_shutdown:
            host.shut_down()
        elif new in ("stopped", "terminated"):
            host.halt()

    def _on_die(self, instance: Instance) -> None:
        if instance.id in self.hosts:
            self.hosts[instance.id].halt()

    def holder(self, slot: str) -> DeskHost:
        """Return the host that the record names as the slot's holder; raises LookupError."""
        record = self.records().get(SlotName(slot))
        if record is None or record.holder not in self.hosts:
            raise LookupError(f"slot {slot} has no holder on the desk")
        return self.hosts[record.holder]

    def host_at(self, address: str) -> DeskHost | None:
        """Return the host behind a private or Elastic IP."""
        for host in self.hosts.values():
            if address in (host.instance.private_ip, host.instance.public_ip) and host.is_up:
                return host
        return None

    def picos(self, slot: SlotName) -> tuple[Pico, ...]:
        """Return the picos that a slot was declared with."""
        return self.declared.get(slot, ())

    def is_armed(self, slot: SlotName) -> bool:
        """Return whether the slot's start gate is armed in the table."""
        record = self.records().get(slot)
        return record is not None and record.is_armed

    def is_reachable(self, test: str, instance: str) -> bool:
        """Return whether a `tcp:` or `mount:` test passes on a host; "*" means on every host."""
        away = self.unreachable.get(test, set())
        return not away & {"*", instance}

    # -- the table, read past the controller

    def records(self) -> dict[SlotName, SlotRecord]:
        """Return the slots' records as they are in the table, those not understood left out."""
        found: dict[SlotName, SlotRecord] = {}
        for item in self._items(CELL, "SLOT#"):
            try:
                record = slot_record(item)
            except Undecodable:
                continue
            found[record.slot] = record
        return found

    def last_report(self, instance: str) -> Report | None:
        """Return a host's row in the table."""
        rows = (report_of(item) for item in self._items(HOSTS, ""))
        return next((one for one in rows if one.instance == instance), None)

    def _items(self, pk: str, prefix: str) -> Iterable[Answer]:
        for item in self.table.items():
            if top(item, "pk") == pk and str(top(item, "sk")).startswith(prefix):
                yield item

    def add_group(self, group: Group, picos: tuple[Pico, ...]) -> None:
        """Create a slot's group; its launches begin at once."""
        self.declared[SlotName(group.tags["picoha:slot"])] = picos
        self.autoscaling.add(group)
