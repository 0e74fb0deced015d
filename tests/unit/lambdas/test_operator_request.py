"""A command sent to the operator function: every wrong argument is told, none is guessed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from picoha.app.errors import MalformedEvent
from picoha.app.operator.answer import Command
from picoha.domain.model import InstanceId, SlotName
from picoha.lambdas.operator_handler import VERBS
from picoha.lambdas.operator_request import LOOKS, TAKES, read_command
from unit.app.operator.operator_rig import Operator

HOST = "i-0123456789abcdef0"


def a_request(verb: str, **args: object) -> dict[str, Any]:
    return {"schema": 1, "verb": verb, "args": args, "reason": "a test", "by": "ops"}


def test_every_verb_that_is_read_is_answered() -> None:
    assert set(TAKES) == set(VERBS)
    assert set(TAKES) > LOOKS


def test_a_whole_command_is_read() -> None:
    found = read_command(a_request("adopt", slot="ec1", instance=HOST), "call-1")
    assert found == Command("adopt", "call-1", SlotName("ec1"), InstanceId(HOST), reason="a test", by="ops")
    paused = read_command(a_request("pause", for_s=90), "call-2")
    assert (paused.slot, paused.span) == (None, timedelta(seconds=90))
    assert read_command(a_request("follow", request="call-1"), "call-3").id == "call-1"


def test_what_looks_needs_no_reason() -> None:
    for verb in LOOKS & {"status", "history", "report"}:
        assert read_command({"schema": 1, "verb": verb}, "x").verb == verb


WRONG: list[tuple[Any, str]] = [
    ("hello", "request: 'hello'; rule: "),
    (None, "request: None; rule: "),
    ([], "request: [];"),
    ({}, "request.schema: missing"),
    ({"schema": 2, "verb": "status"}, "request.schema: 2; rule: Input should be 1"),
    ({"schema": 1}, "request.verb: missing"),
    ({"schema": 1, "verb": "Status"}, "request.verb: 'Status'"),
    ({"schema": 1, "verb": "dance"}, "request.verb: no command 'dance'; known: status, why, "),
    ({"schema": 1, "verb": "status", "extra": 1}, "request.extra: 1; rule: Extra inputs"),
    ({"schema": 1, "verb": "status", "args": 5}, "request.args: 5"),
    (a_request("why"), "why needs slot"),
    (a_request("why", slot="EC1"), "args.slot: 'EC1'; rule: String should match"),
    (a_request("why", slot="ec1", color="red"), "args.color: 'red'; rule: Extra inputs"),
    (a_request("why", slot=["ec1"]), "args.slot: ['ec1']"),
    (a_request("why", slot="ec1", mode="observe"), "why takes no mode"),
    (a_request("confirm-fenced", instance="i-42"), "args.instance: 'i-42'"),
    (a_request("confirm-fenced"), "confirm-fenced needs instance"),
    (a_request("adopt", slot="ec1"), "adopt needs instance"),
    (a_request("retry", operation="ec1"), "args.operation: 'ec1'"),
    (a_request("mode", mode="on"), "args.mode: 'on'; rule: Input should be 'observe' or 'enforce'"),
    (a_request("plan", plan="abort", slot="ec1"), "args.plan: 'abort'"),
    (a_request("pause", for_s=10), "args.for_s: 10; rule: Input should be greater than or equal to 60"),
    (a_request("pause", for_s=86_401), "args.for_s: 86401"),
    (a_request("pause", for_s="3600"), "args.for_s: '3600'"),
    (a_request("pause", for_s=True), "args.for_s: True"),
    (a_request("history", limit=0), "args.limit: 0"),
    (a_request("pause") | {"reason": ""}, "pause needs reason: '' must be one line"),
    (a_request("pause") | {"reason": "  "}, "pause needs reason: '' must be one line"),
    (a_request("pause") | {"reason": "one\ntwo"}, "pause needs reason: 'one\\ntwo' must be one line"),
    (a_request("pause") | {"reason": "x" * 401}, "request.reason: 'xxx"),
    (a_request("pause") | {"by": ""}, "pause needs by: '' must be one line"),
    (a_request("failover", slot="ec1") | {"by": 7}, "request.by: 7"),
]


@pytest.mark.parametrize(("event", "told"), WRONG, ids=[one[1][:40] for one in WRONG])
def test_a_wrong_request_is_2_and_told(event: Any, told: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        read_command(event, "call-1")
    assert str(refused.value).startswith(told)


def test_a_wrong_request_changes_nothing_and_says_so() -> None:
    operator = Operator()
    before = operator.cell.table.snapshot()
    for event, told in WRONG:
        reply = operator.send(event)
        assert reply["code"] == 2
        assert reply["message"].startswith(f"ENFORCE demo: {told[:20]}")
        assert reply["message"].endswith("; nothing was changed")
    assert operator.cell.table.snapshot() == before
