"""One cell's AWS account in a drill: its services, its table, its latency and who may reach whom.

Real boto3 clients talk to it (`fakeaws.clients`). It delivers doorbells; who runs in it is `world`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.items import CELL, HOSTS, report_of, slot_record, table_name, top
from picoha.domain.codec import Undecodable
from picoha.domain.model import Pico, PicoType, Report, SlotName
from picoha.domain.record import SlotRecord
from picoha.fakeaws.autoscaling.api import AutoScaling
from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, CallGate, fake_session
from picoha.fakeaws.cloudwatch.alarms import Alarms
from picoha.fakeaws.cloudwatch.metrics import MetricStore
from picoha.fakeaws.dynamodb.api import Tables
from picoha.fakeaws.ec2.addresses import ElasticAddresses
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.ec2.instances import Instance, Timings
from picoha.fakeaws.eventbridge import eventbridge_event
from picoha.fakeaws.rds_and_efs import Databases, FileSystems
from picoha.fakeaws.scheduler import Scheduler
from picoha.fakeaws.sns import Topics

EVENT_DELAY_S = 0.5
AWS = "aws"
"""The other end of a host's way to AWS, in `Network.blocked`."""


@dataclass
class HostTimes:
    """How long things take on a host, in seconds."""

    agent_s: float = 10.0
    own_start_s: float = 20.0
    start_s: Mapping[PicoType, float] = field(
        default_factory=lambda: {
            PicoType.PLATFORM: 45.0,
            PicoType.EC: 20.0,
            PicoType.SC: 20.0,
            PicoType.UI: 15.0,
        }
    )
    stop_s: float = 5.0


class HostSeen(Protocol):
    """What the account knows of a machine that runs in it."""

    instance: Instance
    slot: SlotName
    running: set[str]
    is_up: bool


@dataclass
class Network:
    """Who can reach whom: a blocked pair, or a blocked host, gets no connection."""

    account: Account
    blocked: set[tuple[str, str]] = field(default_factory=set)

    def accepts(self, source: str, address: str) -> bool:
        """Return whether the Platform's RCP port answers at this address, seen from this host."""
        target = self.account.host_at(address)
        if target is None or not target.is_up:
            return False
        ends = {(source, target.instance.id), ("*", target.instance.id), (source, "*")}
        types = {pico.name: pico.type for pico in self.account.picos(target.slot)}
        serves = any(types.get(name) is PicoType.PLATFORM for name in target.running)
        return serves and not ends & self.blocked


@dataclass
class Faults:
    """What goes wrong with calls: `before` may raise for (service, operation, params), so may `after`."""

    before: list[Callable[[str, str, dict[str, Any]], None]] = field(default_factory=list)
    after: list[Callable[[str, str, dict[str, Any], Answer], None]] = field(default_factory=list)


class ControllerGate(CallGate):
    """Counts the controller's calls, lets each take its time, injects faults."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.calls: Counter[str] = Counter()
        self.faults = Faults()

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Let the call's latency pass, then let a fault stop it."""
        self.calls[operation] += 1
        if self._account.scheduler.current is not None and self._account.latency_s:
            self._account.scheduler.sleep(self._account.latency_s)
        for fault in self.faults.before:
            fault(service, operation, params)

    def after(self, service: str, operation: str, params: dict[str, Any], answer: Answer) -> None:
        """Let a fault lose the answer."""
        for fault in self.faults.after:
            fault(service, operation, params, answer)


class JoinedService:
    """One AWS service as its clients reach it: the operations of its parts."""

    def __init__(self, *parts: Any) -> None:
        self.operations = {name: play for part in parts for name, play in part.operations.items()}


class Account:
    """The services of one cell. `ring(event)` is called for every doorbell delivered; it must not block.

    `latency_s`: how long each call of the controller takes; `is_short`: see `fakeaws.clients`.
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
        self.scheduler = scheduler = Scheduler(seed)
        self.zero_s = 0.0
        self.owners_start = False
        self.ring: Callable[[Answer], None] = lambda event: None
        self.hosts: Mapping[str, HostSeen] = {}
        self.declared: dict[SlotName, tuple[Pico, ...]] = {}
        self.bad_starts: dict[str, tuple[int, str]] = {}
        self.unreachable: dict[str, set[str]] = {}
        self.republished: list[tuple[float, str]] = []
        self.alarm_states: list[tuple[float, str, str]] = []
        self.ec2 = Ec2(scheduler, self.emit, timings)
        self.addresses = ElasticAddresses(self.ec2)
        self.autoscaling = AutoScaling(scheduler, self.ec2, self.emit)
        self.metrics = MetricStore(scheduler)
        self.topics = Topics(scheduler)
        self.topic_arn = self.topics.create(f"picoha-{cell}")
        self.alarms = Alarms(
            scheduler, self.metrics, invoke=self._alarm_action, publish=self.topics.publish, emit=self.emit
        )
        self.databases, self.file_systems = Databases(), FileSystems(scheduler)
        self.tables = Tables(scheduler)
        self.table = self.tables.create(table_name(cell))
        self.network = Network(self)
        self.on_picos: list[Callable[[], None]] = []
        self._connect(is_short)

    def _connect(self, is_short: bool) -> None:
        """Make the services answer real clients: the agents' and the story's."""
        self.services: Mapping[str, JoinedService] = {
            "ec2": JoinedService(self.ec2),
            "autoscaling": JoinedService(self.autoscaling),
            "cloudwatch": JoinedService(self.metrics, self.alarms),
            "sns": JoinedService(self.topics),
            "rds": JoinedService(self.databases),
            "efs": JoinedService(self.file_systems),
            "dynamodb": JoinedService(self.tables),
        }
        self.gate = ControllerGate(self)
        self.agents_gate = CallGate()
        self.agents = Clients(fake_session(self.services, self.agents_gate, is_short=is_short))
        self.admin = Clients(fake_session(self.services))

    # -- doorbells

    def emit(self, source: str, detail_type: str, detail: Answer, resources: list[str]) -> None:
        """Deliver an EventBridge event that the template's rules match; alarm changes are not among them."""
        if source not in ("aws.ec2", "aws.autoscaling"):
            return
        number = self.scheduler.random.getrandbits(64)
        event_id = f"{number:016x}-0000-4000-8000-000000000000"[:36]
        event = eventbridge_event(
            source, detail_type, detail, resources, at=self.scheduler.now, event_id=event_id
        )
        self.scheduler.at(EVENT_DELAY_S, lambda: self.ring(event))

    def _alarm_action(self, arn: str, event: Answer) -> None:
        data = event["alarmData"]
        self.alarm_states.append((self.scheduler.elapsed, data["alarmName"], data["state"]["value"]))
        self.ring(event)

    def tick(self) -> None:
        """Ring the one-minute schedule once."""
        self.ring(
            eventbridge_event(
                "aws.scheduler",
                "Scheduled Event",
                {},
                [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/picoha-{self.cell}-tick"],
                at=self.scheduler.now,
                event_id=f"{int(self.scheduler.elapsed):08d}-0000-4000-8000-000000000000",
            )
        )

    # -- hosts

    def host_at(self, address: str) -> HostSeen | None:
        """Return the host behind a private or Elastic IP."""
        for host in self.hosts.values():
            if address in (host.instance.private_ip, host.instance.public_ip) and host.is_up:
                return host
        return None

    def picos_changed(self) -> None:
        """Tell everybody who looks on that a pico began or ended to run."""
        for look in self.on_picos:
            look()

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
        return next((row for row in rows if row.instance == instance), None)

    def _items(self, pk: str, prefix: str) -> Iterable[Answer]:
        for item in self.table.items():
            if top(item, "pk") == pk and str(top(item, "sk")).startswith(prefix):
                yield item
