"""A settled cell in a drill that `doctor` and `leave` look at through real clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from picoha import bootstrap
from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.items import report_item
from picoha.app import doctor
from picoha.app.gather import one_by_one
from picoha.domain.doctor.findings import Finding
from picoha.drills.clock import DrillClock
from picoha.drills.doctor_answers import DoctorAnswers, answer_doctor
from picoha.drills.drill import Drill
from picoha.drills.story import DEMO, Cell, Story
from picoha.fakeaws.autoscaling.group import Group
from picoha.fakeaws.clients import CallGate, fake_session
from picoha.fakeaws.scheduler import AwsFault

SLOTS = (DEMO[0].model_copy(update={"warm_pool": True}), *DEMO[1:])


class Denier(CallGate):
    """Refuses the operations in `denied`, and keeps the names of all that were called."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.called: list[str] = []

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self.called.append(operation)
        if operation in self.denied:
            raise AwsFault("AccessDenied", f"not authorized to perform {operation}", 403)


class Clinic:
    """The cell, what its account shows, and the examination as bootstrap wires it."""

    def __init__(self) -> None:
        story = Story(title="a sound cell", why="doctor looks at it", cell=Cell(mode="enforce"), slot=SLOTS)
        self.drill = Drill(story)
        self.world = self.drill.world
        self.drill.setup.prepare()
        self.shown: DoctorAnswers = answer_doctor(self.world)
        self.gate = Denier()
        clients = Clients(fake_session(self.world.services, self.gate))
        ports = bootstrap.operator(self.drill.settings, clients, DrillClock(self.world.scheduler), one_by_one)
        self.examine = ports.examine
        self.ports: doctor.DoctorPorts = ports.examine.args[0]  # type: ignore[attr-defined]  # a partial

        self._written: list[Any] = []

    def rewrite(self, stored: Any) -> None:
        """Write an item of the table until `mend`."""
        key = {name: stored[name] for name in ("pk", "sk")}
        admin, name = self.world.admin.dynamodb, self.world.table.name
        self._written.append(admin.get_item(TableName=name, Key=key, ConsistentRead=True)["Item"])
        admin.put_item(TableName=name, Item=stored)

    def report(self, slot: str, **fields: Any) -> None:
        """Let the slot's holder have reported otherwise."""
        told = self.world.last_report(self.holder(slot).id)
        assert told is not None
        self.rewrite(report_item(replace(told, **fields)))

    def mend(self) -> None:
        """Undo what `rewrite` and `gate` did."""
        self.gate.denied.clear()
        while self._written:
            self.world.admin.dynamodb.put_item(TableName=self.world.table.name, Item=self._written.pop())

    def group(self, slot: str) -> Group:
        """Return the slot's group."""
        return self.world.autoscaling.groups[f"demo-{slot}"]

    def holder(self, slot: str) -> Any:
        """Return the slot's instance."""
        return self.world.holder(slot).instance

    def found(self, check: str) -> list[Finding]:
        """Return the findings of one check, now."""
        return [one for one in self.examine() if one.id == check]

    def depending(self, step: str) -> list[Finding]:
        """Return what one step of `leave` finds, now."""
        return [one for one in doctor.depending(self.ports) if one.id == step]


@contextmanager
def clinic() -> Iterator[Clinic]:
    """Build the cell; end its threads."""
    built = Clinic()
    try:
        yield built
    finally:
        built.world.scheduler.close()
