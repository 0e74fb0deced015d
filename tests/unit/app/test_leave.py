"""What `leave` finds in a drill: in order, and shrinking as each step is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from picoha.adapters.aws.items import CELL, item, slot_item
from picoha.app import doctor
from picoha.cli.doctor_text import leave_text
from picoha.domain.codec import encode
from picoha.domain.doctor.findings import Level, errors, exit_code
from picoha.domain.doctor.leave import STEPS
from picoha.domain.model import SlotName
from picoha.domain.record import Mode, Operation, Step, Verb
from unit.app.doctor_rig import Clinic, clinic


@pytest.fixture(scope="module")
def built() -> Iterator[Clinic]:
    with clinic() as cell:
        yield cell


@pytest.fixture
def cell(built: Clinic) -> Iterator[Clinic]:
    yield built
    built.mend()


def observe(cell: Clinic) -> None:
    """Write what `picoha mode observe` and the loop's next look write."""
    mode = replace(cell.drill.setup.mode, mode=Mode.OBSERVE)
    cell.rewrite(item(CELL, "MODE", encode(mode), ver=mode.ver))
    for record in cell.world.records().values():
        cell.rewrite(slot_item(replace(record, is_armed=False), "leaving"))


def test_a_working_cell_depends_on_everything_in_this_order(cell: Clinic) -> None:
    found = doctor.depending(cell.ports)
    assert list(dict.fromkeys(one.id for one in found)) == [step.id for step in STEPS]
    assert {one.id for one in found if one.level is Level.OK} == {"operations"}
    assert {error.id for error in errors(found)} == {"mode", "gates", "hooks"}
    assert [one.subject for one in found if one.id == "hooks"] == ["platform1", "ec1", "ec2"]
    assert all(one.mend for one in found if one.level is not Level.OK)
    assert exit_code(found) == 1


def test_what_is_mended_no_longer_depends(cell: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    observe(cell)
    for slot in ("platform1", "ec1", "ec2"):
        monkeypatch.setattr(cell.group(slot), "hooks", [])
    monkeypatch.setattr(cell.world.alarms, "_alarms", {})
    found = doctor.depending(cell.ports)
    well = {one.id for one in found if one.level is Level.OK}
    assert well == {"mode", "operations", "gates", "hooks", "alarms"}
    assert exit_code(found) == 0
    assert leave_text(found).endswith("the stack may be deleted")


def test_an_open_operation_is_waited_for(cell: Clinic) -> None:
    now = cell.world.scheduler.now
    open_now = Operation("ec1-1-2", Verb.FAILOVER, Step.FENCING, now, now, 445, "silent", 1)
    record = cell.world.records()[SlotName("ec1")]
    cell.rewrite(slot_item(replace(record, operation=open_now), "leaving"))
    (found,) = cell.depending("operations")
    assert (found.level, found.subject) == (Level.ERROR, "ec1")
    assert found.sentence == "ec1-1-2 is open, in fencing"
    assert "picoha abort ec1-1-2" in found.mend


def test_an_address_is_told_with_the_host_that_keeps_it(cell: Clinic) -> None:
    (found,) = cell.depending("addresses")
    assert found.subject == "platform1"
    assert f"203.0.113.10 stays on {cell.holder('platform1').id}" in found.sentence


def test_a_read_that_is_denied_keeps_the_stack(cell: Clinic) -> None:
    cell.gate.denied = {"DescribeLifecycleHooks"}
    observe(cell)
    found = doctor.depending(cell.ports)
    (hooks,) = [one for one in found if one.id == "hooks"]
    assert hooks.is_unseen
    assert exit_code(found) == 3
    assert leave_text(found).endswith("nothing is proven")


def test_steps_are_numbered_and_commands_are_whole(cell: Clinic) -> None:
    lines = leave_text(doctor.depending(cell.ports), 80).splitlines()
    steps = [line for line in lines if line.startswith(("error", "warn"))]
    assert [line.split()[1] for line in steps] == [f"{number}." for number in range(1, len(steps) + 1)]
    commands = [line for line in lines if "-> " in line]
    assert len(commands) == len(steps)
    assert all(len(line) <= 80 for line in lines if "-> " not in line)
