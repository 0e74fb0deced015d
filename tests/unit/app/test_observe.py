"""One look at the cell: what was read is there, what could not be read is Unknown, the rest stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from picoha.adapters.aws.items import CELL, item, slot_item
from picoha.app.errors import MemoryUnreadable
from picoha.app.observe import observe
from picoha.app.ports import DeclaredSlot
from picoha.domain.model import (
    Address,
    AllocationId,
    Dependency,
    InstanceId,
    InstanceState,
    Kind,
    Sample,
    SlotName,
    Unknown,
)
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.record import Mode, ModeRecord
from picoha.fakeaws.scheduler import START
from unit.app.loop_ports import EC1, EC1_HOST, PLATFORM1, PLATFORM_HOST, declared, running
from unit.app.loop_rig import Cell, settled

RDS = Dependency("rds", "mz-db")


@pytest.fixture
def cell() -> Cell:
    found = settled()
    found.eyes.slots[0] = declared(EC1, Kind.EXECUTION, EC1_HOST, depends_on=(RDS,))
    found.eyes.owned = {PLATFORM1: Address(AllocationId("eipalloc-1"), "203.0.113.10")}
    found.eyes.up = {"rds:mz-db": True}
    found.eyes.asked.clear()
    return found


def changed(before: Observation, after: Observation) -> dict[str, dict[str, Any]]:
    """What differs between two looks: slot ("" = the cell's own fields) to field to new value."""
    found: dict[str, dict[str, Any]] = {}
    own = {
        name: getattr(after, name)
        for name in ("now", "cell", "mode", "brake", "memory", "tick")
        if getattr(after, name) != getattr(before, name)
    }
    if own:
        found[""] = own
    for slot in after.slots:
        old, fields = vars(before.slot(slot.name)), vars(slot)
        differing = {name: value for name, value in fields.items() if value != old[name]}
        if differing:
            found[slot.name] = differing
    return found


def depending(cell: Cell, *names: str) -> SlotObservation:
    """See ec1 while it depends on these."""
    dependencies = tuple(Dependency(*name.split(":", 1)) for name in names)
    cell.eyes.slots[0] = declared(EC1, Kind.EXECUTION, EC1_HOST, depends_on=dependencies)
    return cell.see().slot(EC1)


def test_everything_of_the_cell_is_seen_at_one_instant(cell: Cell) -> None:
    seen = cell.see()
    assert (seen.now, seen.cell, seen.mode.mode, seen.memory) == (START, "demo", Mode.ENFORCE, None)
    assert [slot.name for slot in seen.slots] == [EC1, PLATFORM1]
    assert seen.tick == Sample(START, 1.0)
    ec1, platform = seen.slots
    assert ec1.hosts == (cell.eyes.machines[0],) and platform.hosts == (cell.eyes.machines[1],)
    assert (ec1.group, ec1.problem, ec1.address) == (cell.eyes.slots[0].group, "", None)
    assert platform.address == cell.eyes.owned[PLATFORM1]
    assert ec1.record == cell.record() and set(ec1.reports) == {EC1_HOST}
    assert ec1.metric == Sample(START, 1.0)
    assert ec1.dependencies == {"rds:mz-db": True}


# One read fails.

HOSTS, ADDRESSES = Unknown("hosts failed"), Unknown("addresses failed")
GROUPS, SAMPLES = Unknown("groups failed"), Unknown("samples failed")


def test_hosts_that_cannot_be_read_are_unknown(cell: Cell) -> None:
    before = cell.see()
    cell.eyes.asked.clear()
    cell.eyes.failing = {"hosts"}
    dependencies = {"rds:mz-db": Unknown("was not read")}
    assert changed(before, cell.see()) == {
        EC1: {"hosts": HOSTS, "dependencies": dependencies},
        PLATFORM1: {"hosts": HOSTS},
    }
    assert not [one for one in cell.eyes.asked if one.startswith(("statuses", "departed"))]


def test_groups_that_cannot_be_read_are_unknown_and_the_slots_are_known_from_the_table(cell: Cell) -> None:
    before = cell.see()
    cell.eyes.failing = {"groups"}
    lost = {"spec": None, "group": GROUPS}
    assert changed(before, cell.see()) == {EC1: lost | {"dependencies": {}}, PLATFORM1: lost}


def test_addresses_that_cannot_be_read_are_unknown_for_every_slot(cell: Cell) -> None:
    before = cell.see()
    cell.eyes.failing = {"addresses"}
    unknown = {"address": ADDRESSES}
    assert changed(before, cell.see()) == {EC1: unknown, PLATFORM1: unknown}


def test_samples_that_cannot_be_read_are_unknown_and_so_is_the_tick(cell: Cell) -> None:
    before = cell.see()
    cell.eyes.failing = {"samples"}
    unknown = {"metric": SAMPLES}
    assert changed(before, cell.see()) == {"": {"tick": SAMPLES}, EC1: unknown, PLATFORM1: unknown}


def test_status_checks_that_cannot_be_read_are_unknown_on_every_host(cell: Cell) -> None:
    before = cell.see()
    cell.eyes.failing = {"statuses"}
    after = cell.see()
    reason = Unknown(f"statuses {EC1_HOST} {PLATFORM_HOST} failed")
    assert changed(before, after) == {
        slot: {"hosts": (replace(host, is_impaired=reason),)}
        for slot, host in zip((EC1, PLATFORM1), cell.eyes.machines, strict=True)
    }


def test_a_dependency_that_cannot_be_read_is_unknown(cell: Cell) -> None:
    before = cell.see()
    cell.eyes.failing = {"rds:mz-db"}
    assert changed(before, cell.see()) == {EC1: {"dependencies": {"rds:mz-db": Unknown("rds:mz-db failed")}}}


def test_activities_that_cannot_be_read_prove_nothing(cell: Cell) -> None:
    cell.eyes.machines = cell.eyes.machines[1:]
    cell.eyes.gone = frozenset({EC1_HOST})
    before = cell.see()
    assert before.slot(EC1).departed == {EC1_HOST}
    cell.eyes.failing = {"departed"}
    assert changed(before, cell.see()) == {EC1: {"departed": frozenset()}}


def test_a_table_that_cannot_be_read_is_unknown_and_nothing_is_remembered(cell: Cell) -> None:
    def unreadable() -> None:
        raise MemoryUnreadable("reading table picoha-demo: denied")

    before = cell.see()
    cell.memory.before_load = unreadable
    after = cell.see()
    nothing: dict[str, Any] = {"record": None, "reports": {}}
    assert changed(before, after) == {
        "": {"memory": Unknown("reading table picoha-demo: denied"), "mode": ModeRecord()},
        EC1: nothing,
        PLATFORM1: nothing,
    }
    assert after.mode.mode is Mode.OBSERVE


def test_with_groups_and_table_unreadable_no_slot_is_seen_and_the_reason_is_kept(cell: Cell) -> None:
    def unreadable() -> None:
        raise MemoryUnreadable("denied")

    cell.memory.before_load = unreadable
    cell.eyes.failing = {"groups"}
    seen = cell.see()
    assert (seen.slots, seen.memory) == ((), Unknown("denied"))


# Which slots, and what is asked.


def test_a_slot_is_seen_if_a_group_or_a_record_names_it(cell: Cell) -> None:
    cell.eyes.slots.append(declared(SlotName("sc1"), Kind.EXECUTION, InstanceId("i-sc1")))
    cell.eyes.slots.append(DeclaredSlot(SlotName("ui1"), cell.eyes.slots[0].group, problem="wrong"))
    retired = replace(cell.record(), slot=SlotName("old1"))
    cell.write(slot_item(retired, "n"))
    cell.write(item(CELL, "SLOT#new1", {}, schema=9))
    seen = cell.see()
    assert [slot.name for slot in seen.slots] == ["ec1", "new1", "old1", "platform1", "sc1", "ui1"]
    assert seen.slot(SlotName("new1")).newer.startswith("CELL/SLOT#new1 has schema 9")
    assert seen.slot(SlotName("old1")).group is None
    assert seen.slot(SlotName("sc1")).record is None
    assert (seen.slot(SlotName("ui1")).spec, seen.slot(SlotName("ui1")).problem) == (None, "wrong")


def test_status_checks_are_asked_of_hosts_that_live(cell: Cell) -> None:
    first, second = cell.eyes.machines
    cell.eyes.machines = [replace(first, state=InstanceState.TERMINATED), second]
    cell.see()
    assert f"statuses {PLATFORM_HOST}" in cell.eyes.asked
    cell.eyes.asked.clear()
    cell.eyes.machines = []
    cell.see()
    assert not [one for one in cell.eyes.asked if one.startswith("statuses")]


def test_activities_are_asked_only_of_grantees_that_ec2_does_not_show(cell: Cell) -> None:
    cell.see()
    assert not [one for one in cell.eyes.asked if one.startswith("departed")]
    cell.eyes.machines = cell.eyes.machines[1:]
    cell.see()
    assert [one for one in cell.eyes.asked if one.startswith("departed")] == [f"departed demo-ec1 {EC1_HOST}"]


def test_a_host_of_another_slot_is_not_this_slots(cell: Cell) -> None:
    cell.eyes.machines.append(running(SlotName("sc9"), InstanceId("i-9")))
    seen = cell.see()
    assert [slot.name for slot in seen.slots] == [EC1, PLATFORM1]
    assert all(len(slot.hosts) == 1 for slot in seen.slots if not isinstance(slot.hosts, Unknown))


# Dependencies that hosts test.


@pytest.mark.parametrize("test", ["tcp:db.corp:1521", "mount:/data"])
@pytest.mark.parametrize(
    ("passes", "answer"), [((True, True), True), ((True, False), True), ((False, False), False)]
)
def test_what_hosts_test_is_up_while_any_of_them_reaches_it(
    cell: Cell, test: str, passes: tuple[bool, bool], answer: bool
) -> None:
    cell.report(EC1, EC1_HOST, tests={test: passes[0]})
    cell.report(PLATFORM1, PLATFORM_HOST, tests={test: passes[1]})
    assert depending(cell, test).dependencies == {test: answer}
    assert test not in cell.eyes.asked


@pytest.mark.parametrize(("age_s", "counts"), [(30, True), (31, False)])
def test_the_last_report_of_a_dead_host_does_not_keep_a_dependency_up(
    cell: Cell, age_s: float, counts: bool
) -> None:
    cell.report(EC1, EC1_HOST, tests={"tcp:db:1521": True})
    cell.clock.elapsed += age_s
    cell.report(EC1, InstanceId("i-new"), tests={"tcp:db:1521": False})
    assert depending(cell, "tcp:db:1521").dependencies == {"tcp:db:1521": counts}


def test_how_long_a_test_counts_is_the_callers_policy(cell: Cell) -> None:
    cell.report(EC1, EC1_HOST, tests={"tcp:db:1521": True})
    depending(cell, "tcp:db:1521")
    cell.clock.elapsed += 45
    seen = observe(cell.ports, timedelta(seconds=60))
    assert seen.slot(EC1).dependencies == {"tcp:db:1521": True}


def test_a_dependency_that_no_host_tested_and_another_slot_are_not_judged_here(cell: Cell) -> None:
    assert depending(cell, "tcp:db:1521", "slot:sc1").dependencies == {}


def test_a_test_that_bears_the_name_of_another_read_changes_nothing(cell: Cell) -> None:
    """A host writes its own row; it must not be able to answer for AWS."""
    before = cell.see()
    cell.report(EC1, EC1_HOST, tests={"samples": True, "statuses": True, "rds:mz-db": False})
    after = cell.see()
    assert set(changed(before, after)[EC1]) == {"reports"}
    assert after.slot(EC1).dependencies == {"rds:mz-db": True}
