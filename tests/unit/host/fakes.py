"""A small cell for the agent's tests: one table, and hosts with a clock, files and picos that behave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from picoha.domain.model import InstanceId, Kind, Pico, PicoType, Report, SlotName
from picoha.domain.record import Assignment, Order, OrderVerb, Phase, SlotRecord
from picoha.host.core.agent import Agent
from picoha.host.core.knowledge import AgentSettings
from picoha.host.core.ports import (
    AgentPorts,
    Checks,
    CloudUnreachable,
    Identity,
    Job,
    JobResult,
    NoRecord,
    Properties,
    Refused,
    SavedState,
    ScriptVerb,
    SlotAnswer,
    TakeAnswer,
    Taken,
)

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EIP = "203.0.113.10"
EC1 = Pico("ec1", 7101, PicoType.EC)
EC2 = Pico("ec2", 7102, PicoType.EC)
PLATFORM = Pico("platform", 7100, PicoType.PLATFORM)

EC_ASSIGNMENT = Assignment(Kind.EXECUTION, "ec1host", "ec1", (EC1,), "mz-platform", EIP)
PLATFORM_ASSIGNMENT = Assignment(Kind.PLATFORM, "mz-platform", "platform1", (PLATFORM,), "mz-platform", EIP)


@dataclass
class Time:
    """Virtual time, shared by every host of a test."""

    elapsed: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed


@dataclass
class Table:
    """The table as all hosts see it: one slot's record, and the row of every host."""

    answer: SlotAnswer = field(default_factory=NoRecord)
    rows: dict[str, Report] = field(default_factory=dict)

    @property
    def record(self) -> SlotRecord:
        assert isinstance(self.answer, SlotRecord)
        return self.answer

    def write(self, **changes: object) -> SlotRecord:
        self.answer = replace(self.record, ver=self.record.ver + 1, **changes)  # type: ignore[arg-type]  # names are the test's
        return self.answer

    def order(self, verb: OrderVerb, name: str = "o-1") -> Order:
        record = self.record
        assert record.holder is not None
        made = Order(name, verb, record.holder, record.epoch, START)
        self.write(order=made)
        return made


@dataclass
class HostCloud:
    """One host's way to the table and to the metric; `is_cut` plays an unreachable AWS."""

    table: Table
    me: InstanceId
    is_cut: bool = False
    published: list[float] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    stale: SlotAnswer | None = None

    def read_slot(self) -> SlotAnswer:
        if self.is_cut:
            return CloudUnreachable("timed out")
        return self.table.answer if self.stale is None else self.stale

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        if self.is_cut:
            return CloudUnreachable("timed out")
        now = self.table.answer
        if not isinstance(now, SlotRecord) or now.phase not in (Phase.GRANTED, Phase.ACTIVE):
            return Refused("the record grants it to nobody")
        if (now.holder, now.epoch) != (report.instance, record.epoch):
            return Refused(f"the record says {now.holder} at {now.epoch}")
        self.taken.append(record.epoch)
        self.table.rows[report.instance] = report
        return Taken()

    def put_report(self, report: Report) -> bool:
        if not self.is_cut:
            self.table.rows[report.instance] = report
        return not self.is_cut

    def publish(self, value: float) -> bool:
        if not self.is_cut:
            self.published.append(value)
        return not self.is_cut


@dataclass
class FakeJob:
    """A script that ends after some virtual seconds and then has its effect."""

    clock: Time
    ends_at: float
    result: JobResult
    effect: tuple[dict[str, int | None], str, int] | None
    is_stopped: bool = False

    def poll(self) -> JobResult | None:
        if self.is_stopped or self.clock.elapsed < self.ends_at:
            return None
        if self.effect:
            codes, pico, code = self.effect
            codes[pico] = code
        return self.result

    def stop(self) -> None:
        self.is_stopped = True


@dataclass
class FakeScripts:
    """The vendor's scripts over picos whose monitor answers are `codes`.

    `results` holds what the next runs of a verb answer; otherwise a run succeeds. A start that
    did not succeed leaves its pico as it was, and so does a failed stop.
    """

    clock: Time
    codes: dict[str, int | None]
    takes_s: float = 5.0
    results: dict[ScriptVerb, list[JobResult]] = field(default_factory=dict)
    missing: set[ScriptVerb] = field(
        default_factory=lambda: {ScriptVerb.PRE_START, ScriptVerb.POST_START, ScriptVerb.REPUBLISH}
    )
    ran: list[str] = field(default_factory=list)
    jobs: list[FakeJob] = field(default_factory=list)
    settings: list[Mapping[str, str]] = field(default_factory=list)
    looks: int = 0
    watch: Callable[[ScriptVerb, Pico | None], None] = lambda verb, pico: None

    def monitor_all(self, picos: Sequence[Pico]) -> Mapping[str, int | None]:
        self.looks += 1
        return {pico.name: self.codes[pico.name] for pico in picos if pico.name in self.codes}

    def begin(self, verb: ScriptVerb, pico: Pico | None, script_environment: Mapping[str, str]) -> Job | None:
        if verb in self.missing:
            return None
        self.watch(verb, pico)
        self.ran.append(f"{verb} {pico.name}" if pico else str(verb))
        self.settings.append(script_environment)
        queue = self.results.get(verb, [])
        result = queue.pop(0) if queue else JobResult(0, "done")
        after = {ScriptVerb.ONLINE: 110, ScriptVerb.OFFLINE: 100, ScriptVerb.CLEAN: 100}.get(verb)
        is_good = result.code == 0 and result.output in ("done", "already running")
        effect = (self.codes, pico.name, after) if pico and after and is_good else None
        job = FakeJob(self.clock, self.clock.elapsed + self.takes_s, result, effect)
        self.jobs.append(job)
        return job


@dataclass
class TextFile:
    """A hosts file in memory that counts its writes."""

    text: str = "127.0.0.1 localhost\n"
    writes: int = 0
    is_broken: bool = False

    def read(self) -> str:
        return self.text

    def replace(self, text: str) -> None:
        if self.is_broken:
            raise OSError("read-only file system")
        self.text, self.writes = text, self.writes + 1


@dataclass
class FileResolver:
    """Resolves as glibc's `files` source does: the first line that gives the name."""

    file: TextFile
    dns: dict[str, str] = field(default_factory=dict)
    is_dns_first: bool = False

    def resolve(self, name: str) -> str | None:
        if self.is_dns_first and name in self.dns:
            return self.dns[name]
        for line in self.file.text.splitlines():
            fields = line.partition("#")[0].split()
            if name.lower() in (one.lower() for one in fields[1:]):
                return fields[0]
        return self.dns.get(name)


@dataclass
class Network:
    """Which names answer on which port."""

    up: set[tuple[str, int]] = field(default_factory=set)
    tried: list[tuple[str, int]] = field(default_factory=list)

    def connects(self, name: str, port: int, timeout_s: float) -> bool:
        self.tried.append((name, port))
        return (name, port) in self.up


@dataclass
class MemoryDisk:
    """A disk that survives agents and boots."""

    kept: SavedState | None = None
    saves: list[SavedState] = field(default_factory=list)
    is_full: bool = False

    def load(self) -> SavedState | None:
        return self.kept

    def save(self, kept: SavedState) -> None:
        if self.is_full:
            raise OSError("no space left on device")
        self.kept = kept
        self.saves.append(kept)


@dataclass
class FakeChecks:
    """What only the host can tell."""

    name: str | None = None
    answers: dict[str, bool] = field(default_factory=dict)

    def container(self) -> str | None:
        return self.name

    def run(self, tests: Sequence[str]) -> Mapping[str, bool]:
        return {test: self.answers.get(test, True) for test in tests}


class FakeHost:
    """One host with its own agent; `boot` and `restart_agent` begin a new one on the same disk."""

    def __init__(
        self,
        table: Table,
        clock: Time,
        instance: str = "i-1",
        slot: str = "ec1",
        private_ip: str = "10.0.3.11",
        picos: Sequence[Pico] = (EC1,),
    ) -> None:
        self.clock = clock
        self.cloud = HostCloud(table, InstanceId(instance))
        self.scripts = FakeScripts(clock, {pico.name: 100 for pico in picos})
        self.file = TextFile()
        self.resolver = FileResolver(self.file)
        self.network = Network()
        self.disk = MemoryDisk()
        self.ports = AgentPorts(
            clock,
            self.cloud,
            self.scripts,
            self.file,
            self.resolver,
            self.network,
            self.disk,
        )
        self.me = Identity("demo", SlotName(slot), InstanceId(instance), "boot-1", "eu-west-1a", private_ip)
        self.settings = AgentSettings()
        self.agent = Agent(self.me, self.ports, self.settings)

    def with_checks(self, checks: Checks) -> FakeHost:
        """Give the host an answer to what only it can tell."""
        self.ports = replace(self.ports, checks=checks)
        self.restart_agent()
        return self

    def with_properties(self, properties: Properties) -> FakeHost:
        """Give the host a product whose own values can be read."""
        self.ports = replace(self.ports, properties=properties)
        self.restart_agent()
        return self

    def boot(self, boot_id: str) -> None:
        """Reboot: picos and scripts are gone, disk and files stay."""
        self.me = replace(self.me, boot_id=boot_id)
        for name in self.scripts.codes:
            self.scripts.codes[name] = 100
        for job in self.scripts.jobs:
            job.stop()
        self.restart_agent()

    def restart_agent(self) -> None:
        self.agent = Agent(self.me, self.ports, self.settings)

    def cycles(self, count: int = 1) -> Report:
        """Run this host's agent for `count` cycles of 10 s and return the last report."""
        assert count > 0
        for _ in range(count):
            self.clock.elapsed += 10
            report = self.agent.cycle()
        return report


def granted(
    holder: str | None = "i-1",
    epoch: int = 1,
    assignment: Assignment = EC_ASSIGNMENT,
    phase: Phase = Phase.GRANTED,
    is_armed: bool = True,
) -> SlotRecord:
    """Return a record of a slot that is granted to `holder`."""
    return SlotRecord(
        slot=SlotName(assignment.container),
        ver=1,
        epoch=epoch,
        holder=InstanceId(holder) if holder else None,
        phase=phase,
        is_armed=is_armed,
        assignment=assignment,
    )


def started(record: SlotRecord | None = None) -> FakeHost:
    """Return an execution host that took its grant and runs its pico."""
    host = FakeHost(Table(record or granted()), Time())
    host.cycles(3)
    assert host.cloud.table.rows["i-1"].phase == "running"
    return host
