"""How long one invocation goes on: while something is near, inside its budget, at 2 to 5 s a poll."""

from __future__ import annotations

from dataclasses import replace

import pytest

from picoha.app.drive import PASSES, DriveReport, drive
from picoha.app.errors import LostRace, MemoryUnreadable
from picoha.domain.decision import Answer, Change, Decision, Rule
from picoha.domain.model import InstanceState
from picoha.domain.rules import table
from picoha.domain.situation import Situation
from unit.app.loop_ports import EC1, EC1_HOST
from unit.app.loop_rig import POLICY, Cell, fencing, refusal, settled


def driven(cell: Cell, budget_s: float = 50) -> DriveReport:
    return drive(cell.ports, POLICY, budget_s)


def near(monkeypatch: pytest.MonkeyPatch, *look_again_s: float | None) -> None:
    """Let ec1 answer that it waits, looking again after each of these spans in turn."""
    spans = iter(look_again_s)

    def waiting(situation: Situation) -> Decision:
        return Decision(Answer.WAIT, "near", look_again_s=next(spans))

    rule = Rule(1, "planted", lambda situation: situation.observed.name == EC1, waiting)
    monkeypatch.setattr(table, "SLOT_RULES", (rule, *table.SLOT_RULES))


def test_a_quiet_cell_takes_one_pass_and_one_beat() -> None:
    cell = settled()
    report = driven(cell)
    assert (report.passes, report.saved, cell.clock.slept) == (1, 0, [])
    assert cell.voice.beats == 1


@pytest.mark.parametrize("broken", ["before_load", "before_commit"])
def test_a_table_of_no_use_stops_the_tick_on_which_the_dead_man_alarm_waits(broken: str) -> None:
    def refused() -> None:
        raise MemoryUnreadable("denied")

    cell = settled()
    cell.silence_ec1()
    setattr(cell.memory, broken, refused)
    driven(cell, budget_s=0)
    assert cell.voice.beats == 0
    setattr(cell.memory, broken, lambda: None)
    driven(cell)
    assert cell.voice.beats == 1


def test_a_tick_that_cannot_be_published_stops_nothing() -> None:
    cell = settled()
    cell.voice.fault = refusal("Throttling")
    assert driven(cell).passes == 1


@pytest.mark.parametrize("budget_s", [0, -5])
def test_no_budget_is_one_pass_even_when_something_is_near(budget_s: float) -> None:
    cell = fencing()
    report = driven(cell, budget_s)
    assert (report.passes, report.saved, cell.clock.slept) == (1, 1, [])


def test_a_save_is_followed_by_another_look_at_once() -> None:
    cell = settled()
    cell.silence_ec1()
    report = driven(cell, budget_s=1)
    assert report.passes == 4  # admitted, sent, its message crossed off, looked
    assert report.saved == 3
    assert cell.clock.slept == []


def test_a_fence_that_never_takes_effect_is_driven_to_the_end_of_the_budget() -> None:
    cell = fencing()
    start = cell.clock.elapsed
    driven(cell)
    spent = cell.clock.elapsed - start
    assert 45 <= spent < 50
    assert all(2 <= one <= 5 for one in cell.clock.slept)
    assert [order for order in cell.hands.orders if order[0] == "fence"] == [("fence", EC1_HOST, False)] * 4


def test_the_drive_ends_when_the_effect_is_seen_and_nothing_is_near() -> None:
    cell = fencing()
    dead = replace(cell.eyes.machines[0], state=InstanceState.TERMINATED)
    cell.eyes.machines[0] = dead
    report = driven(cell, budget_s=20)
    assert "ec1: fenced" in cell.events()
    assert report.passes > 2


@pytest.mark.parametrize(
    ("asked_s", "slept_s"), [(0.0, 2.0), (1.0, 2.0), (2.0, 2.0), (3.5, 3.5), (5.0, 5.0), (60.0, 5.0)]
)
def test_a_poll_is_never_shorter_than_2_s_nor_longer_than_5_s(
    asked_s: float, slept_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = settled()
    near(monkeypatch, asked_s, None)
    report = driven(cell)
    assert (cell.clock.slept, report.passes) == ([slept_s], 2)


@pytest.mark.parametrize(("budget_s", "passes"), [(3.0, 1), (3.1, 2), (6.0, 2), (6.1, 3)])
def test_a_poll_that_would_end_after_the_budget_is_not_begun(
    budget_s: float, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = settled()
    near(monkeypatch, 3.0, 3.0, 3.0, None)
    assert driven(cell, budget_s).passes == passes
    assert cell.clock.elapsed <= budget_s


def test_without_polling_it_goes_on_only_while_it_makes_progress() -> None:
    cell = settled()
    cell.silence_ec1()
    report = drive(cell.ports, POLICY, 50, polls=False)
    assert (report.passes, report.saved, cell.clock.slept) == (4, 3, [])
    assert drive(cell.ports, POLICY, 50, polls=False).passes == 1
    assert cell.clock.slept == []


def test_who_lost_a_race_looks_again_after_2_s() -> None:
    cell = fencing()
    lost: list[str] = []

    def lose_once() -> None:
        if not lost:
            lost.append("once")
            raise LostRace("somebody else saved first")

    cell.memory.before_commit = lose_once
    driven(cell, budget_s=2.5)
    assert (cell.clock.slept, len(cell.hands.orders)) == ([2.0], 2)


def test_a_loop_that_never_settles_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def restless(situation: Situation) -> Decision:
        return Decision(Answer.UPKEEP, "again", change=Change(record=situation.record), look_again_s=0.0)

    cell = settled()
    rule = Rule(1, "planted", lambda situation: situation.observed.name == EC1, restless)
    monkeypatch.setattr(table, "SLOT_RULES", (rule, *table.SLOT_RULES))
    report = driven(cell, budget_s=50)
    assert (report.passes, report.saved) == (PASSES, PASSES)


def test_the_reply_names_each_slots_rule_and_what_came_of_it() -> None:
    cell = fencing()
    reply = driven(cell, 0).to_reply()
    assert (reply["outcome"], reply["passes"], reply["saved"]) == ("driven", 1, 1)
    slots = reply["slots"]
    assert isinstance(slots, dict)
    assert slots["ec1"] == {
        "rule": 307,
        "answer": "send",
        "outcome": "saved",
        "sentence": f"{EC1_HOST} is being fenced",
    }
    assert slots["platform1"]["rule"] == 999


def test_the_reply_tells_the_slots_own_decision_before_that_of_a_message_or_a_launch() -> None:
    cell = fencing()
    driven(cell, 0)
    reply = driven(cell, 0).to_reply()
    assert cell.voice.said and isinstance(reply["slots"], dict)
    assert reply["slots"]["ec1"]["rule"] == 307
