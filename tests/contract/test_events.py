"""Every event file through the real handler over a settled cell; broken ones never get in, nor do harm."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from picoha.adapters.aws.items import HOSTS
from picoha.drills.drill import Drill
from picoha.drills.story import Story

ROOT = Path(__file__).parents[2]
EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted(ROOT.glob("events/*.json"))}
LOOKING = ("Describe", "Get", "Query")
DRIVE_S = 5.0
"""One pass over a cell that is well takes about half a virtual second."""


@dataclass
class Rung:
    """What one event led to: the handler's reply, and the calls it made that change something."""

    reply: dict[str, Any]
    changing: list[str]


class Cell:
    """The demo cell in enforce, every slot held and well; nothing rings but what a test rings."""

    def __init__(self) -> None:
        self.drill = Drill(Story(title="events"))
        self.drill.setup.prepare()
        self.drill.world.ring = lambda _event: None
        self.drill.world.scheduler.run_for(60)

    def ring(self, event: Any) -> Rung:
        """Deliver one event; an error that escapes the handler is raised here."""
        world = self.drill.world
        self.drill.replies.clear()
        world.gate.calls.clear()
        self.drill.invoke(event)
        world.scheduler.run_for(DRIVE_S, until=lambda: bool(self.drill.replies))
        [reply] = self.drill.replies
        changing = [name for name in world.gate.calls.elements() if not name.startswith(LOOKING)]
        return Rung(reply, changing)

    def kept(self) -> dict[str, Any]:
        """Return the table without the hosts' own rows, which agents write all the time."""
        items = self.drill.world.table.items()
        return {repr((item["pk"], item["sk"])): item for item in items if item["pk"] != {"S": HOSTS}}

    def hosts(self) -> dict[str, str]:
        """Return what EC2 says of every host, and who has the address."""
        states = {instance.id: instance.state for instance in self.drill.world.ec2.instances.values()}
        held = {
            address.public_ip: str(address.interface_id)
            for address in self.drill.world.addresses.addresses.values()
        }
        return states | held


@pytest.fixture(scope="module")
def cell() -> Iterator[Cell]:
    settled = Cell()
    yield settled
    assert settled.drill.world.referee.violations == []
    settled.drill.world.scheduler.close()


def test_every_file_of_the_directory_is_read() -> None:
    assert len(EVENTS) >= 21
    assert {path.name for path in (ROOT / "events").iterdir()} == {"README.md"} | {
        f"{event}.json" for event in EVENTS
    }


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_makes_the_handler_look_at_the_whole_cell_and_take_nothing(cell: Cell, name: str) -> None:
    table, hosts = cell.kept(), cell.hosts()
    rung = cell.ring(EVENTS[name])
    assert (rung.reply["outcome"], rung.reply["saved"]) == ("driven", 0)
    assert {slot: one["rule"] for slot, one in rung.reply["slots"].items()} == {
        "platform1": 999,
        "ec1": 999,
        "ec2": 999,
    }
    assert rung.changing == ["PutMetricData"]  # its own Tick
    assert (cell.kept(), cell.hosts()) == (table, hosts)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_comes_twice_is_answered_twice(cell: Cell, name: str) -> None:
    first, second = cell.ring(EVENTS[name]), cell.ring(copy.deepcopy(EVENTS[name]))
    assert first == second


NO_DOORBELLS: dict[str, Any] = {
    "a test notification of Auto Scaling": {
        "Records": [
            {"EventSource": "aws:sns", "Sns": {"Message": '{"Event": "autoscaling:TEST_NOTIFICATION"}'}}
        ]
    },
    "a message that is no alarm": {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "hello"}}]},
    "an event of another service": {
        **EVENTS["ec2-state-change"],
        "source": "aws.s3",
        "detail-type": "Object Created",
    },
    "an event without its detail": {k: v for k, v in EVENTS["ec2-state-change"].items() if k != "detail"},
    "nothing": {},
    "no object": [],
    "no event": None,
    "text": json.dumps(EVENTS["tick-rule"]),
}


@pytest.mark.parametrize("event", [pytest.param(one, id=name) for name, one in NO_DOORBELLS.items()])
def test_anything_else_is_ignored_with_its_reason_and_nothing_is_even_looked_at(
    cell: Cell, event: Any
) -> None:
    table, hosts = cell.kept(), cell.hosts()
    rung = cell.ring(event)
    assert rung.reply["outcome"] == "ignored"
    assert rung.reply["reason"]
    assert sum(cell.drill.world.gate.calls.values()) == 0
    assert (cell.kept(), cell.hosts()) == (table, hosts)


# Broken events.

Step = str | int


def places(node: Any, here: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Yield the path of every value inside an event."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, child in inner:
        yield (*here, step)
        yield from places(child, (*here, step))


def parent(root: Any, path: tuple[Step, ...]) -> Any:
    for step in path[:-1]:
        root = root[step]
    return root


junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """An event file with one to four of its values cut off, cut short, or replaced by anything."""
    root: Any = copy.deepcopy(EVENTS[draw(st.sampled_from(sorted(EVENTS)))])
    for _ in range(draw(st.integers(1, 4))):
        known = list(places(root))
        if not known:
            break
        path = draw(st.sampled_from(known))
        holder, last = parent(root, path), path[-1]
        how = draw(st.sampled_from(["cut off", "cut short", "replace"]))
        if how == "cut off":
            del holder[last]
        elif how == "cut short" and isinstance(holder[last], str):
            holder[last] = holder[last][: draw(st.integers(0, len(holder[last])))]
        else:
            holder[last] = draw(junk)
    return root


def is_harmless(cell: Cell, event: Any) -> None:
    table, hosts = cell.kept(), cell.hosts()
    rung = cell.ring(event)
    assert rung.reply["outcome"] in ("driven", "ignored")
    if rung.reply["outcome"] == "ignored":
        assert sum(cell.drill.world.gate.calls.values()) == 0
    else:
        assert (rung.reply["saved"], rung.changing) == (0, ["PutMetricData"])
    assert (cell.kept(), cell.hosts()) == (table, hosts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=broken())
def test_a_broken_event_never_gets_out_of_the_handler_and_changes_nothing(cell: Cell, event: Any) -> None:
    is_harmless(cell, event)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=junk)
@example(event={"alarmData": None})
@example(event={"detail-type": "Scheduled Event", "source": "aws.events", "detail": {"a": float("nan")}})
@example(event={"Records": [{"Sns": {"Message": "[" * 100_000}}]})
def test_junk_never_gets_out_of_the_handler_and_changes_nothing(cell: Cell, event: Any) -> None:
    is_harmless(cell, event)


@pytest.mark.parametrize("name", EVENTS)
def test_a_message_that_was_cut_in_the_middle_changes_nothing(cell: Cell, name: str) -> None:
    """What a queue or a person cut short is text, or an SNS message that is no JSON any more."""
    text = json.dumps(EVENTS[name])
    is_harmless(cell, text[: len(text) // 2])
    is_harmless(cell, {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text[: len(text) // 2]}}]})


def test_the_cell_was_well_all_the_time(cell: Cell) -> None:
    """Last in this file: after everything above, the cell still is what it was."""
    rung = cell.ring(EVENTS["tick-scheduler"])
    assert {slot: one["rule"] for slot, one in rung.reply["slots"].items()} == {
        "platform1": 999,
        "ec1": 999,
        "ec2": 999,
    }
    records = cell.drill.world.records()
    assert {slot: one.epoch for slot, one in records.items()} == {"platform1": 1, "ec1": 1, "ec2": 1}
