"""What a command says when it stops watching an order that is written, and what a roll leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from operators.drill_cells import CALM, Terminal, cell, told
from operators.test_client import ADMITTED, WAITING, Scripted, finished, step
from picoha.app.errors import OperatorUnreachable
from picoha.cli.client import NOTHING, PATIENCE, Client, rolled

BLIND = {"code": 3, "sentence": "OBSERVE demo: could not find out: reading the table"}
LOST = OperatorUnreachable("throttled")
UNSURE = "request r1 is written and its outcome is not known"
WELL: dict[str, Any] = {"data": {"slots": []}}


def test_a_look_that_could_not_find_out_is_no_answer() -> None:
    reply, way, lines = finished(WAITING, BLIND, ADMITTED, BLIND, step("fencing"), BLIND, step("done"))
    assert (reply["code"], reply["message"]) == (0, "ENFORCE demo: ok; changed: ec1-1-1 is done")
    assert (way.sent.count("follow"), way.sent.count("show")) == (3, 4)
    silent = [one for one in lines if one.startswith("no answer")]
    assert silent == ["no answer (OBSERVE demo: could not find out: reading the table); asking again"] * 3


@pytest.mark.parametrize("before", [(), (WAITING,), (ADMITTED,), (ADMITTED, step("fencing"))])
@pytest.mark.parametrize("silence", [BLIND, LOST], ids=["blind", "lost"])
def test_who_stops_watching_says_that_the_request_is_written(before: Any, silence: Any) -> None:
    with pytest.raises(OperatorUnreachable) as stopped:
        finished(*before, *[silence] * PATIENCE)
    assert str(stopped.value).endswith(f"; {UNSURE}")
    assert NOTHING not in str(stopped.value)
    assert not stopped.value.outcome_known


def test_a_request_that_is_nowhere_is_3_and_not_called_unchanged() -> None:
    reply, _, _ = finished({"code": 3, "data": {"state": "unknown"}})
    assert (reply["code"], reply["message"]) == (3, f"ENFORCE demo: ok; {UNSURE}")


def test_an_operation_that_is_nowhere_is_not_called_changed() -> None:
    reply, _, _ = finished(ADMITTED, {"code": 1, "data": {}})
    assert (reply["code"], reply["message"]) == (1, f"ENFORCE demo: ok; {UNSURE}")


def test_a_table_that_cannot_be_read_while_an_order_is_watched_is_3(monkeypatch: pytest.MonkeyPatch) -> None:
    with cell(CALM, 10) as kept:
        terminal = Terminal(kept, monkeypatch)
        send = kept.send

        def blind(request: Any) -> Any:
            reply = send(request)
            if request["verb"] == "follow":
                return {**reply, **BLIND, "data": {}}
            return reply

        monkeypatch.setattr(kept, "send", blind)
        result = terminal.type("switchover", "ec1", "--yes", "--reason", "new image")
        assert result.exit_code == 3
        assert "is written and its outcome is not known; " in result.stderr
        assert NOTHING not in result.stderr
        terminal.wait(400)
        assert terminal.records()["ec1"].epoch == 2, "the loop goes on without the command"


# A roll.


def roll(*planned: object) -> Any:
    return Client(Scripted(*planned), "ops", lambda line: None).roll(["ec1", "ec2"], "test")


ORDERED = {"data": {"request": "r1"}}
DONE_EC1 = (WELL, ORDERED, ADMITTED, step("done"), WELL)


def test_a_roll_that_is_not_answered_any_more_names_what_it_did() -> None:
    with pytest.raises(OperatorUnreachable, match="throttled; switched over before that: ec1") as stopped:
        roll(*DONE_EC1, LOST)
    assert not stopped.value.outcome_known
    with pytest.raises(OperatorUnreachable) as first:
        roll(LOST)
    assert first.value is LOST


@pytest.mark.parametrize(
    ("planned", "ending"),
    [
        ((WELL, ORDERED, ADMITTED, step("aborted")), "before ec1 was done; changed: ec1-1-1 is aborted"),
        (
            (*DONE_EC1, WELL, ORDERED, ADMITTED, step("aborted")),
            "before ec2 was done; changed: ec1 switched over, ec1-1-1 is aborted",
        ),
        ((WELL, {"code": 1}), f"before ec1 was done; {NOTHING}"),
        (
            (WELL, {"code": 3, "sentence": "ENFORCE demo: Timeout", "unsure": "not known; look first"}),
            "ENFORCE demo: Timeout; not known; look first; stopped before ec1 was done",
        ),
    ],
)
def test_a_roll_ends_with_all_that_it_changed(planned: tuple[object, ...], ending: str) -> None:
    assert roll(*planned)["message"].endswith(ending)


def line(slot: str, kind: str = "execution", **more: str) -> dict[str, str]:
    return {"slot": slot, "kind": kind, **more}


def test_the_platform_is_last_and_who_is_left_out_is_named_with_the_reason() -> None:
    slots = [line("platform1", "platform"), line("ec1", not_rolled="parked"), line("ec2", not_rolled="")]
    assert rolled({"data": {"slots": slots}}) == (["ec2", "platform1"], {"ec1": "parked"})


def test_a_roll_leaves_out_what_is_not_fenceable_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with cell(CALM, 10) as kept:
        terminal = Terminal(kept, monkeypatch)
        groups = terminal.world.autoscaling.groups
        monkeypatch.delitem(groups["demo-ec1"].tags, "picoha:fenceable")
        monkeypatch.setitem(groups["demo-platform1"].tags, "picoha:fenceable", "false")
        terminal.wait(120)
        result = terminal.type("roll", "--yes", "--reason", "new image")
        told(
            result,
            0,
            "ec1 is left out: not fenceable: its group has no tag picoha:fenceable=true",
            "platform1 is left out: not fenceable",
            "changed: ec2 switched over",
        )
        assert {name: one.epoch for name, one in terminal.records().items()} == {
            "ec1": 1,
            "ec2": 2,
            "platform1": 1,
        }
        monkeypatch.delitem(groups["demo-ec2"].tags, "picoha:fenceable")
        before = terminal.records()
        nothing = terminal.type("roll", "--yes", "--json", "--reason", "new image")
        plain = json.loads(nothing.stdout)
        assert (nothing.exit_code, plain["message"].endswith(f"; no slot to roll; {NOTHING}")) == (1, True)
        assert terminal.records() == before


def test_enforce_is_not_asked_back_while_doctor_cannot_look(monkeypatch: pytest.MonkeyPatch) -> None:
    from picoha.adapters.aws.inspection import AwsInspection
    from picoha.app.errors import SensorFailed

    def denied(self: AwsInspection) -> Any:
        raise SensorFailed("describing the cell's alarms: AccessDenied")

    with cell(CALM, 10) as kept:
        terminal = Terminal(kept, monkeypatch)
        terminal.type("mode", "observe", "--reason", "quiet")
        monkeypatch.setattr(AwsInspection, "alarms", denied)
        result = terminal.type("mode", "enforce", "--reason", "again", answer="y\n")
        flat = told(result, 1, "checks could not look: alarms", "unknown never admits; nothing was changed")
        assert "[y/N]" not in flat
        assert terminal.json("status")["data"]["mode"] == "observe"
