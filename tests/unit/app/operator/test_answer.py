"""The operator's commands over the loop's own cell: refused by the loop's sentences, pinned, told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from picoha.adapters.aws.items import CELL, item
from picoha.app.errors import ActionFailed, LostRace, MemoryUnreadable
from picoha.domain.codec import encode
from picoha.domain.doctor.findings import Finding, Level
from picoha.domain.model import Kind, ScalingGroup
from picoha.domain.record import Mode, ModeRecord, Step
from unit.app.loop_ports import EC1, EC1_HOST, declared
from unit.app.loop_rig import Cell, fencing, settled
from unit.app.operator.operator_rig import Operator

HOST = "i-0123456789abcdef0"


def observing() -> Cell:
    cell = settled()
    cell.write(item(CELL, "MODE", encode(ModeRecord(ver=2, mode=Mode.OBSERVE)), ver=2))
    for _ in range(5):
        cell.run()
    return cell


def is_told(reply: dict[str, Any], code: int, begins: str, ends: str) -> None:
    assert (reply["schema"], reply["cell"], reply["code"]) == (1, "demo", code), reply
    assert reply["message"].startswith(f"{begins} demo: "), reply
    assert reply["message"].endswith(ends), reply


# Every message begins with the mode and ends with what was changed.


LOOKS: list[tuple[str, dict[str, object]]] = [
    ("status", {}),
    ("why", {"slot": "ec1"}),
    ("history", {"since_s": 86400, "limit": 3}),
    ("plan", {"plan": "switchover", "slot": "ec1"}),
    ("report", {}),
    ("verify", {}),
    ("doctor", {}),
    ("leave", {}),
]


@pytest.mark.parametrize(("verb", "args"), LOOKS, ids=[look[0] for look in LOOKS])
@pytest.mark.parametrize("mode", ["ENFORCE", "OBSERVE"])
def test_what_looks_changes_nothing_and_says_so(verb: str, args: dict[str, object], mode: str) -> None:
    operator = Operator(observing() if mode == "OBSERVE" else None)
    before = operator.cell.table.snapshot()
    reply = operator.ask(verb, **args)
    if (verb, mode) == ("plan", "OBSERVE"):
        is_told(reply, 1, mode, "`picoha mode enforce` opens this; nothing was changed")
    else:
        is_told(reply, 0, mode, "; nothing was changed")
    assert operator.cell.table.snapshot() == before


def test_without_a_readable_table_nothing_is_known_and_the_mode_counts_as_observe() -> None:
    operator = Operator()

    def unreadable() -> None:
        raise MemoryUnreadable("reading table picoha-demo: AccessDenied")

    operator.cell.memory.before_load = unreadable
    for verb in ("status", "mode", "follow"):
        args = {"mode": {"mode": "enforce"}, "follow": {"request": "r1"}}.get(verb, {})
        reply = operator.ask(verb, **args)
        is_told(reply, 3, "OBSERVE", "; nothing was changed")
        assert "could not find out: reading table picoha-demo: AccessDenied" in reply["message"]
    assert [level for level, _, _ in operator.log.lines] == ["warning"] * 3


# Requests: the loop's own tables refuse them, before and after.


def the_loops_own_answer(operator: Operator, verb: str, **args: object) -> str:
    """Write the request past the function and let the loop answer it."""
    from picoha.domain.model import InstanceId
    from picoha.domain.record import Request, RequestVerb

    instance = InstanceId(str(args["instance"])) if "instance" in args else None
    asked = Request("past", RequestVerb(verb), EC1, "ops", "a test", operator.cell.clock.now(), instance)
    operator.cell.write(item(CELL, "REQ#past", encode(asked)))
    return operator.cell.line().decision.sentence


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("switchover", {"slot": "ec1"}),
        ("failover", {"slot": "ec1"}),
        ("adopt", {"slot": "ec1", "instance": HOST}),
    ],
)
def test_a_refusal_is_the_sentence_that_the_loop_would_write(verb: str, args: dict[str, object]) -> None:
    operator = Operator(observing())
    reply = operator.ask(verb, **args)
    assert operator.cell.memory.load().requests == ()
    sentence = the_loops_own_answer(operator, verb, **args)
    assert "is refused" in sentence
    assert reply["code"] == 1
    assert reply["message"] == f"OBSERVE demo: {sentence}; nothing was changed"


def test_an_accepted_request_is_consumed_by_the_loop_and_followed_by_its_id() -> None:
    operator = Operator()
    reply = operator.ask("switchover", slot="ec1")
    is_told(
        reply, 0, "ENFORCE", "request call-1 (switchover) waits for the loop, which looks within a minute"
    )
    [request] = operator.cell.memory.load().requests
    assert (request.id, request.by, request.reason) == ("call-1", "ops", "a test")
    waiting = operator.ask("follow", request="call-1", slot="ec1")
    assert waiting["data"] == {"state": "waiting"}
    line = operator.cell.line()
    assert (line.decision.rule, line.outcome) == (219, "saved")
    answered = operator.ask("follow", request="call-1", slot="ec1")
    assert answered["data"] == {
        "state": "answered",
        "event": "admitted",
        "rule": 219,
        "operation": "ec1-1-1",
        "slot": "ec1",
    }
    is_told(answered, 0, "ENFORCE", "; changed: admitted by rule 219")


def test_a_request_that_the_loop_refused_after_all_is_told_with_its_sentence() -> None:
    operator = Operator()
    operator.ask("switchover", slot="ec1")
    operator.cell.write(item(CELL, "MODE", encode(ModeRecord(ver=2, mode=Mode.OBSERVE)), ver=2))
    operator.cell.run()
    for _ in range(3):
        operator.cell.run()
    reply = operator.ask("follow", request="call-1", slot="ec1")
    assert (reply["code"], reply["data"]["event"]) == (1, "refused")
    assert "the cell is in observe" in reply["message"]


def test_an_unknown_request_is_not_called_done() -> None:
    assert Operator().ask("follow", request="never")["code"] == 3


def test_a_second_request_for_a_slot_waits_its_turn_outside() -> None:
    operator = Operator()
    operator.ask("switchover", slot="ec1")
    reply = operator.ask("switchover", slot="ec1")
    is_told(reply, 1, "ENFORCE", "still waits for the loop; nothing was changed")
    assert len(operator.cell.memory.load().requests) == 1


def test_a_forced_failover_does_not_wait_behind_a_switchover_of_its_slot() -> None:
    operator = Operator()
    operator.ask("switchover", slot="ec1")
    is_told(operator.ask("failover", slot="ec1"), 0, "ENFORCE", "which looks within a minute")
    assert {request.verb for request in operator.cell.memory.load().requests} == {"switchover", "failover"}
    for verb in ("failover", "switchover"):
        reply = operator.ask(verb, slot="ec1")
        is_told(reply, 1, "ENFORCE", "still waits for the loop; nothing was changed")
    assert len(operator.cell.memory.load().requests) == 2


def test_a_guard_that_holds_refuses_what_the_loop_would_not_come_to() -> None:
    operator = Operator()
    operator.cell.eyes.failing.add("hosts")
    reply = operator.ask("switchover", slot="ec1")
    is_told(reply, 1, "ENFORCE", "unknown is not dead; nothing was changed")
    assert operator.cell.memory.load().requests == ()


@pytest.mark.parametrize(
    ("verb", "args", "told"),
    [
        ("why", {"slot": "ec9"}, "there is no slot ec9; the cell has ec1, platform1"),
        ("switchover", {"slot": "ec9"}, "there is no slot ec9; the cell has ec1, platform1"),
        ("retry", {"operation": "ec1-9-9"}, "no operation ec1-9-9 is open; open: none"),
        ("abort", {"operation": "ec1-9-9"}, "no operation ec1-9-9 is open; open: none"),
        ("show", {"operation": "ec1-9-9"}, "there is no operation ec1-9-9; open: none"),
        (
            "confirm-fenced",
            {"instance": HOST},
            f"{HOST} is no host of this cell, and no operation waits for evidence",
        ),
        ("resume", {}, "the cell is not paused; paused: nothing"),
        ("resume", {"slot": "ec1"}, "slot ec1 is not paused; paused: nothing"),
        ("release-storm", {}, "no storm holds anything now"),
        ("close-breaker", {}, "the breaker is not open"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    verb: str, args: dict[str, object], told: str
) -> None:
    operator = Operator()
    before = operator.cell.table.snapshot()
    reply = operator.ask(verb, **args)
    assert (reply["code"], reply["message"]) == (1, f"ENFORCE demo: {told}; nothing was changed")
    assert operator.cell.table.snapshot() == before


def test_retry_and_abort_find_the_slot_by_the_operations_id() -> None:
    operator = Operator(fencing())
    assert (
        "no operation of this slot waits for an operator"
        in operator.ask("retry", operation="ec1-1-1")["message"]
    )
    assert operator.ask("abort", operation="ec1-1-1")["code"] == 0
    for _ in range(4):
        operator.cell.run()
    ended, _journal = operator.requests.operation("ec1-1-1")
    assert ended is not None and ended.step is Step.ABORTED
    shown = operator.ask("show", operation="ec1-1-1")
    assert shown["data"]["operation"]["step"] == "aborted"
    assert [row["event"] for row in shown["data"]["rows"]][-1] == "aborted"
    assert "snapshot" not in shown["data"]["rows"][0]


@pytest.mark.parametrize("ends_before", ["load", "operation"])
def test_an_operation_that_ends_while_it_is_shown_is_found(
    ends_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator(fencing())
    operator.ask("abort", operation="ec1-1-1")
    read = operator.requests.operation

    def end() -> None:
        operator.cell.memory.before_load = lambda: None
        for _ in range(4):
            operator.cell.run()

    def end_and_read(name: str) -> Any:
        end()
        return read(name)

    if ends_before == "load":
        operator.cell.memory.before_load = end
    else:
        monkeypatch.setattr(operator.requests, "operation", end_and_read)
    shown = operator.ask("show", operation="ec1-1-1")
    assert (shown["code"], shown["data"]["operation"]["step"]) == (0, "aborted")


# Somebody else, and answers that stay out.


def test_a_change_that_lost_a_race_is_asked_for_again_by_a_human() -> None:
    operator = Operator()

    def lose() -> None:
        raise LostRace("saving the mode")

    operator.requests.before_write = lose
    reply = operator.ask("mode", mode="observe")
    is_told(reply, 1, "ENFORCE", "look, and ask again; nothing was changed")


@pytest.mark.parametrize("known", [True, False])
def test_a_write_without_an_answer_is_not_called_unchanged(known: bool) -> None:
    operator = Operator()

    def fail() -> None:
        raise ActionFailed("saving the mode: Timeout", "Timeout", known, "unreachable")

    operator.requests.before_write = fail
    ends = "nothing was changed" if known else "whether anything was changed is not known; look first"
    is_told(operator.ask("mode", mode="observe"), 3, "ENFORCE", ends)


# The cell itself.


def test_the_mode_is_changed_with_its_row_and_the_loop_obeys() -> None:
    operator = Operator()
    reply = operator.ask("mode", mode="observe")
    is_told(reply, 0, "OBSERVE", "; changed: the mode is observe")
    assert operator.cell.memory.load().mode.mode is Mode.OBSERVE
    assert "*: mode" in operator.cell.events()
    operator.cell.run()
    assert not operator.cell.record().is_armed
    is_told(operator.ask("mode", mode="observe"), 0, "OBSERVE", "already is observe; nothing was changed")


def test_enforce_is_refused_while_doctor_has_errors_and_shows_the_report() -> None:
    operator = Operator(observing())
    bad = Finding("hook", Level.ERROR, "ec1", "the group has no launch hook", "aws autoscaling put-...")
    operator.findings = (Finding("tags", Level.WARN, "ec1", "odd"), bad)
    reply = operator.ask("mode", mode="enforce")
    is_told(reply, 1, "OBSERVE", "mend: aws autoscaling put-...; nothing was changed")
    assert "enforce is refused while doctor finds errors: hook ec1: the group has no" in reply["message"]
    assert len(reply["data"]["findings"]) == 2 and "would_have" in reply["data"]["report"]
    assert operator.cell.memory.load().mode.mode is Mode.OBSERVE
    operator.findings = operator.findings[:1]
    is_told(operator.ask("mode", mode="enforce"), 0, "ENFORCE", "; changed: the mode is enforce")
    assert operator.cell.memory.load().mode.mode is Mode.ENFORCE


def test_enforce_is_refused_while_doctor_cannot_look() -> None:
    operator = Operator(observing())
    why = "could not look: AccessDenied"
    blind = [Finding(one, Level.WARN, "", why, is_unseen=True) for one in ("launch-hook", "disks")]
    operator.findings = (Finding("tags", Level.OK, "ec1", "fine"), *blind)
    reply = operator.ask("mode", mode="enforce")
    told = f"enforce is refused: 2 checks could not look: launch-hook, disks ({why}); unknown never admits"
    assert (reply["code"], reply["message"]) == (1, f"OBSERVE demo: {told}; nothing was changed")
    assert operator.cell.memory.load().mode.mode is Mode.OBSERVE


@pytest.mark.parametrize("where", [{}, {"slot": "ec1"}], ids=["cell", "slot"])
def test_a_pause_is_made_longer_but_never_shorter(where: dict[str, str]) -> None:
    operator = Operator()
    key, end = (where["slot"], "picoha resume ec1") if where else ("*", "picoha resume")
    operator.ask("pause", **where, for_s=7200)
    first = operator.cell.memory.load().mode
    before = operator.cell.table.snapshot()
    reply = operator.ask("pause", **where, for_s=7199)
    is_told(reply, 1, "ENFORCE", f"by ops: a test; to end it sooner, `{end}` first; nothing was changed")
    assert f"is already paused until {first.pauses[key].until:%Y-%m-%d %H:%M:%S} UTC" in reply["message"]
    assert operator.cell.table.snapshot() == before
    assert operator.ask("pause", **where, for_s=7201)["code"] == 0
    operator.ask("resume", **where)
    assert operator.ask("pause", **where, for_s=60)["code"] == 0


def test_a_pause_of_a_slot_and_of_the_cell_are_two_and_each_is_ended_by_its_name() -> None:
    operator = Operator()
    operator.ask("pause", slot="ec1", for_s=3600)
    operator.ask("pause")
    pauses = operator.cell.memory.load().mode.pauses
    assert {name: (one.until - one.since).total_seconds() for name, one in pauses.items()} == {
        "ec1": 3600,
        "*": 7200,
    }
    reply = operator.ask("resume")
    assert "still paused: slot ec1" in reply["message"]
    assert list(operator.cell.memory.load().mode.pauses) == ["ec1"]
    assert "paused by ops until" in operator.ask("switchover", slot="ec1")["message"]
    operator.ask("resume", slot="ec1")
    assert operator.ask("switchover", slot="ec1")["code"] == 0
    assert [event for event in operator.cell.events() if "paused" in event] == [
        "*: paused",
        "*: unpaused",
        "ec1: paused",
        "ec1: unpaused",
    ]


def test_resume_also_ends_the_soft_end_of_a_pause_that_ran_out() -> None:
    operator = Operator()
    operator.ask("pause", slot="ec1", for_s=60)
    operator.cell.wait(120)
    assert "a pause ran out" in operator.ask("switchover", slot="ec1")["message"]
    operator.ask("resume", slot="ec1")
    assert operator.ask("switchover", slot="ec1")["code"] == 0


def test_close_breaker_begins_its_counts_anew() -> None:
    operator = Operator()
    brake = operator.cell.memory.load().brake
    times = (operator.cell.clock.now(),) * 3
    opened = replace(brake, ver=7, is_open=True, opened_because="3 in 1 h", admitted={"ec1": times})
    operator.cell.write(item(CELL, "BRAKE", encode(opened), ver=7))
    assert operator.ask("status")["data"]["breaker"] == "3 in 1 h"
    is_told(operator.ask("close-breaker"), 0, "ENFORCE", "; changed: the breaker is closed")
    closed = operator.cell.memory.load().brake
    assert (closed.is_open, closed.admitted, closed.ver) == (False, {}, 8)


# Looking.


def test_status_is_1_while_a_slot_is_not_well_and_says_why() -> None:
    operator = Operator(fencing())
    reply = operator.ask("status")
    is_told(reply, 1, "ENFORCE", "not well: ec1; nothing was changed")
    line = next(slot for slot in reply["data"]["slots"] if slot["slot"] == "ec1")
    assert (line["operation"], line["step"], line["is_well"]) == ("ec1-1-1", "fencing", False)
    assert line["holder"] == EC1_HOST


def test_status_says_which_slots_a_roll_leaves_out() -> None:
    operator = Operator()
    eyes = operator.cell.eyes

    def left_out() -> dict[str, str]:
        return {slot["slot"]: slot["not_rolled"] for slot in operator.ask("status")["data"]["slots"]}

    assert left_out() == {"ec1": "", "platform1": ""}
    ec1, platform = eyes.slots
    eyes.slots = [declared(EC1, Kind.EXECUTION, EC1_HOST, fenceable=False), platform]
    assert left_out() == {
        "ec1": "not fenceable: its group has no tag picoha:fenceable=true",
        "platform1": "",
    }
    assert isinstance(ec1.group, ScalingGroup)
    eyes.slots = [replace(ec1, group=replace(ec1.group, desired=0, members=())), platform]
    assert left_out() == {"ec1": "parked", "platform1": ""}
    eyes.slots = [platform]
    assert left_out() == {"ec1": "retired", "platform1": ""}
    eyes.failing.add("groups")
    assert left_out() == {"ec1": "", "platform1": ""}


def test_history_of_a_slot_has_the_cells_rows_and_no_other_slots() -> None:
    operator = Operator()
    operator.ask("pause", for_s=60)
    rows = operator.ask("history", slot="ec1")["data"]["rows"]
    assert {row["slot"] for row in rows} == {"ec1", "*"}
    assert len(operator.ask("history", limit=2)["data"]["rows"]) == 2


def test_every_answer_is_logged_with_who_asked_and_what_was_changed() -> None:
    operator = Operator()
    operator.ask("mode", mode="observe")
    level, message, fields = operator.log.lines[-1]
    assert level == "info" and "sets the mode to observe" in message
    assert fields == {
        "verb": "mode",
        "by": "ops",
        "reason": "a test",
        "code": 0,
        "changed": "the mode is observe",
    }
