"""The built function in Lambda's real runtime, over a drill's cell that lives in real time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import pytest

from contract.templates import ROOT
from picoha.domain.model import SlotName
from picoha.drills.story import DEMO, Story
from runtime.conftest import Function, Start, living
from runtime.front import Front
from runtime.rie import Answer, Environment

# One worker: these tests share a build and its venv, which are made once.
pytestmark = pytest.mark.xdist_group("runtime")

EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))}
TICK = EVENTS["tick-scheduler"]
WELL = {"platform1": 999, "ec1": 999, "ec2": 999}
FUNCTIONS = ("Reconcile", "Operator")
SLOWEST_START_MS = 5000.0


@pytest.fixture(scope="module")
def cell() -> Iterator[Front]:
    with living(Story(title="well")) as front:
        yield front


def rules(answer: Answer) -> dict[str, int]:
    return {slot: one["rule"] for slot, one in answer.body["slots"].items()}


def test_every_event_file_is_answered_by_a_look_at_the_whole_cell(start: Start, cell: Front) -> None:
    before = cell.calls.copy()
    with start(endpoint=cell.url) as function:
        for name, event in EVENTS.items():
            answer = function.invoke(event)
            assert (answer.status, answer.error) == (200, None), f"{name}: {answer}"
            assert (answer.body["outcome"], answer.body["saved"]) == ("driven", 0), name
            assert rules(answer) == WELL, name
        assert len(function.init_ms()) == 1  # one start for all of them
    made = cell.calls - before
    assert made["PutMetricData"] == len(EVENTS)
    assert [one for one in made if not one.startswith(("Describe", "Get", "Query", "PutMetric"))] == []


def test_what_is_no_doorbell_is_ignored_and_nothing_is_looked_at(start: Start, cell: Front) -> None:
    before = cell.calls.copy()
    with start(endpoint=cell.url) as function:
        no_doorbells: list[Any] = [{}, [], None, "text", {"detail-type": "Object Created"}]
        for event in no_doorbells:
            answer = function.invoke(event)
            assert (answer.status, answer.error) == (200, None)
            assert answer.body["outcome"] == "ignored"
    assert cell.calls == before


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_cold_start_is_ready_before_its_first_event(
    name: str, start: Start, figure: Callable[[str], None]
) -> None:
    taken = []
    for _ in range(3):
        with start(name) as function:
            assert function.invoke({}).status == 200
            taken = function.init_ms()
    assert len(taken) == 3
    figure(f"{name}: init {median(taken):.0f} ms, from {min(taken):.0f} to {max(taken):.0f}")
    assert max(taken) < SLOWEST_START_MS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_variable_ends_the_function_at_its_start_and_is_named(name: str, start: Start) -> None:
    with start(name, without="PICOHA_CELL") as function:
        answer = function.invoke(TICK)
        assert (answer.status, answer.error) == (502, "SettingsInvalid")
        assert "PICOHA_CELL = not set: must be set" in answer.body["errorMessage"]
        assert "INIT RTDONE(status: error)" in function.log()


def test_a_bug_is_an_error_of_the_invocation_and_the_next_one_works(start: Start, cell: Front) -> None:
    """An answer of AWS that nobody foresaw: no error of AWS, no failed sensor, simply wrong."""

    def spoil(answer: dict[str, Any]) -> None:
        answer["MetricDataResults"][0]["Id"] = "nobody-asked-for-this"

    with start(endpoint=cell.url) as function:
        cell.spoil["GetMetricData"] = spoil
        try:
            failed = function.invoke(TICK)
        finally:
            cell.spoil.clear()
        assert failed.error == "ValueError"
        assert "obody-asked-for-this" in failed.body["errorMessage"]
        [told] = [line for line in function.lines() if line["level"] == "ERROR"]
        assert told["message"] == "doorbell failed"
        assert "ValueError" in told["exception"]
        assert rules(function.invoke(TICK)) == WELL
        assert len(function.init_ms()) == 1  # the process lived on


def test_aws_that_cannot_be_reached_leads_to_no_decision_and_is_told(start: Start) -> None:
    with start() as function:  # nobody listens at this endpoint
        answer = function.invoke(TICK)
        assert (answer.body["saved"], rules(answer)) == (0, {"*": 101})
        assert [line for line in function.lines() if "Could not connect to the endpoint" in line["message"]]


# A timeout in the middle.

QUICK = {"boot_s": 1.0, "stop_s": 1.0, "terminate_s": 1.0, "agent_s": 0.5}
TIMEOUT_S = 8
"""Less than the handler keeps back for its answer, so that each event is one look; more than a slow start."""
LONGEST_S = 150.0


def rung_until(function: Environment, front: Front, done: Callable[[], bool]) -> list[Answer]:
    """Ring the tick again and again until the cell is as wanted; fails after `LONGEST_S`."""
    answers: list[Answer] = []
    end = time.monotonic() + LONGEST_S
    while not done():
        assert time.monotonic() < end, [answers[-1], front.calls]
        answers.append(function.invoke(TICK))
        assert answers[-1].status == 200
    return answers


def test_a_failover_killed_in_the_middle_of_a_change_is_continued_by_the_next_event(
    start: Start, figure: Callable[[str], None]
) -> None:
    """The address is moved, but its answer never comes: Lambda kills the function after its timeout."""
    with living(Story(title="killed", slot=DEMO, timings=QUICK)) as front:
        world, slot = front.cell.world, SlotName("platform1")
        victim = world.records()[slot].holder
        assert victim is not None
        with front.cell.lock:
            world.ec2.terminate(victim)
        front.silent = lambda _operation: front.calls["AssociateAddress"] > 0  # and all that follows
        with start(endpoint=front.url, timeout_s=TIMEOUT_S) as function:
            function.invoke({})  # the start counts for the first invocation's time here, unlike on AWS
            answers = rung_until(function, front, lambda: front.calls["AssociateAddress"] > 0)
            killed = answers.pop()
            assert killed.body == f"Task timed out after {TIMEOUT_S}.00 seconds"
            assert [answer.error for answer in answers if answer.error] == []
            assert world.records()[slot].epoch == 1  # nobody is granted what was not seen
            front.silent = lambda _operation: False
            front.heard.set()
            sent = front.calls["AssociateAddress"]
            rung_until(function, front, lambda: world.records()[slot].epoch == 2)
            starts = function.init_ms()
        record = world.records()[slot]
        address = next(one for one in world.addresses.addresses.values() if one.association_id)
        assert front.calls["AssociateAddress"] == sent  # seen, not sent again
        assert address.interface_id == world.ec2.get(str(record.holder)).interface_id
        assert record.holder != victim
        assert world.referee.violations == []
        assert len(starts) == 2  # a killed function starts anew
        figure(f"failover killed after {TIMEOUT_S} s and continued: {sum(front.calls.values())} calls")


def test_the_function_is_described_as_it_is_deployed(functions: dict[str, Function]) -> None:
    assert {function.variables["PICOHA_CELL"] for function in functions.values()} == {"demo"}
    assert set(functions) == set(FUNCTIONS)
    assert functions["Reconcile"].timeout_s == 75
