"""What the tests of the loop share: a cell of two slots behind given eyes and hands, with the real memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.items import CELL, body, item, report_item, table_name, top
from picoha.adapters.aws.memory import AwsMemory
from picoha.app.errors import ActionFailed
from picoha.app.gather import one_by_one
from picoha.app.observe import observe
from picoha.app.ports import Ports
from picoha.app.reconcile import Line, reconcile
from picoha.domain.codec import decode, encode
from picoha.domain.health import Health
from picoha.domain.ledger import JournalRow
from picoha.domain.model import (
    AgentPhase,
    InstanceId,
    PicoReading,
    Report,
    SlotName,
)
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, ModeRecord, SlotRecord
from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.dynamodb.api import Tables
from picoha.fakeaws.dynamodb.rows import Table
from picoha.fakeaws.scheduler import START, Scheduler
from unit.app.loop_ports import (
    EC1,
    EC1_HOST,
    PLATFORM1,
    PLATFORM_HOST,
    Eyes,
    HandClock,
    Hands,
    Voice,
    Watched,
)

POLICY = Policy()


@dataclass
class Cell:
    """The cell `demo`: platform1 and ec1, each with one healthy host, in enforce."""

    clock: HandClock = field(default_factory=HandClock)
    hands: Hands = field(default_factory=Hands)
    voice: Voice = field(default_factory=Voice)

    def __post_init__(self) -> None:
        tables = Tables(Scheduler())
        self.table: Table = tables.create(table_name("demo"))
        self.client: Any = fake_session({"dynamodb": tables}).client("dynamodb")
        self.memory = Watched(AwsMemory(self.table.name, Clients(fake_session({"dynamodb": tables}))))
        self.eyes = Eyes(self.clock)
        self.ports = Ports("demo", self.eyes, self.hands, self.memory, self.voice, self.clock, one_by_one)
        self.write(item(CELL, "MODE", encode(ModeRecord(ver=1, mode=Mode.ENFORCE)), ver=1))
        self.report_all()

    def write(self, stored: dict[str, Any]) -> None:
        """Store an item past the memory."""
        self.client.put_item(TableName=self.table.name, Item=stored)

    def report(self, slot: SlotName, instance: InstanceId, **changes: Any) -> None:
        """Let a host's agent report, healthy unless `changes` say otherwise."""
        picos = {str(slot): PicoReading(Health.HEALTHY, 110)}
        plain = Report(instance, slot, f"{instance}-boot", self.clock.now(), AgentPhase.RUNNING, picos=picos)
        self.write(report_item(replace(plain, **changes)))

    def report_all(self) -> None:
        """Let both holders' agents report that all is well."""
        self.report(EC1, EC1_HOST)
        self.report(PLATFORM1, PLATFORM_HOST)

    def wait(self, seconds: float) -> None:
        """Let time pass with both agents reporting at its end."""
        self.clock.elapsed += seconds
        self.report_all()

    def silence_ec1(self, seconds: float = 40) -> None:
        """Let ec1's host go silent with failing status checks; the Platform stays well."""
        self.eyes.silent["ec1"] = self.clock.now()
        self.eyes.impaired.add(EC1_HOST)
        self.clock.elapsed += seconds
        self.report(PLATFORM1, PLATFORM_HOST)

    def see(self) -> Observation:
        return observe(self.ports)

    def run(self) -> tuple[Line, ...]:
        return reconcile(self.ports, POLICY)

    def line(self, slot: SlotName = EC1) -> Line:
        """Run one pass; return the first line about the slot."""
        return next(one for one in self.run() if one.slot == slot)

    def record(self, slot: SlotName = EC1) -> SlotRecord:
        return self.memory._inner.load().records[slot]

    def rows(self, pk: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (sort key, body) of a partition's items, in order."""
        found = [one for one in self.table.items() if top(one, "pk") == pk]
        return sorted((str(top(one, "sk")), body(one)) for one in found)

    def journal(self, operation: str) -> list[JournalRow]:
        return [decode(JournalRow, plain) for sk, plain in self.rows(f"OP#{operation}") if sk[:2] == "J#"]

    def events(self) -> list[str]:
        """Return "slot: event" of the whole history, oldest first."""
        return [f"{row.slot}: {row.event}" for row in self.memory.history(START, self.clock.now())]


def settled() -> Cell:
    """Return the cell with both holders adopted and nothing left to do."""
    cell = Cell()
    for _ in range(20):
        if not any(line.outcome == "saved" for line in cell.run()):
            cell.voice.said.clear()
            return cell
    raise AssertionError("the cell did not settle")


def fencing() -> Cell:
    """Return the settled cell with ec1's failover admitted, and nothing sent yet."""
    cell = settled()
    cell.silence_ec1()
    line = cell.line()
    assert (line.decision.rule, line.outcome) == (445, "saved"), line
    return cell


def refusal(code: str = "UnauthorizedOperation", outcome_known: bool = True) -> ActionFailed:
    """Return the error of an order that AWS did not accept."""
    return ActionFailed(f"doing it: {code}", code, outcome_known, "denied", "request-x")
