"""When AWS or the function does not answer as it should: real clients up to the socket, one attempt."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from click.testing import CliRunner, Result

from picoha.adapters.aws.clients import Clients
from picoha.app.errors import OperatorUnreachable
from picoha.cli.client import PATIENCE, Client, marks
from picoha.cli.main import main
from unit.adapters.aws.test_clients import Answer, Line, fails, responds

FUNCTION = "picoha-demo-operator"
REPLY = {
    "schema": 1,
    "cell": "demo",
    "code": 0,
    "message": "ENFORCE demo: ok; nothing was changed",
    "sentence": "ENFORCE demo: ok",
    "changed": "",
    "unsure": "",
    "data": {},
}


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """The line to AWS, behind every client that a command makes."""
    found = Line(monkeypatch)
    monkeypatch.setattr(Clients, "in_region", classmethod(lambda cls, region=None: found.clients))
    return found


def error(status: int, kind: str, message: str) -> Answer:
    """Answer as Lambda's own front does."""
    body = json.dumps({"Type": "User", "Message": message})

    def answer() -> Any:
        made = responds(status, body, "application/json")()
        made.headers["x-amzn-ErrorType"] = kind
        return made

    return answer


class Payload(io.BytesIO):
    """The open end of a response whose body is read as a stream."""

    def stream(self, **_: Any) -> Any:
        yield self.read()


def answered(payload: object, function_error: str = "") -> Answer:
    """Answer with what the function returned, or failed with."""
    body = payload if isinstance(payload, str) else json.dumps(payload)
    named = {"X-Amz-Function-Error": function_error} if function_error else {}
    headers = HTTPHeaders.from_dict({"Content-Type": "application/json", **named})

    def answer() -> AWSResponse:
        raw: Any = Payload(body.encode())
        return AWSResponse("https://aws", 200, headers, raw)

    return answer


def picoha(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(main, list(words), env={"COLUMNS": "80", "PICOHA_BY": "ops", **environ})


BROKEN: list[tuple[str, Answer, bool, list[str]]] = [
    (
        "access denied",
        error(403, "AccessDeniedException", "User: arn:aws:iam::1:user/ops is not authorized"),
        True,
        ["AccessDeniedException", "your credentials need lambda:InvokeFunction on it"],
    ),
    (
        "no such stack",
        error(404, "ResourceNotFoundException", f"Function not found: {FUNCTION}"),
        True,
        ["ResourceNotFoundException", "is the cell's stack deployed in this account and region?"],
    ),
    (
        "throttled",
        error(429, "TooManyRequestsException", "Rate exceeded"),
        True,
        ["TooManyRequestsException", "try again in a few seconds"],
    ),
    ("AWS is broken", error(500, "ServiceException", "sorry"), False, ["ServiceException"]),
    (
        "no answer",
        fails(ReadTimeoutError(endpoint_url="https://aws")),
        False,
        ["ReadTimeoutError", "check the network and the region"],
    ),
    ("no network", fails(ConnectTimeoutError(endpoint_url="https://aws")), False, ["ConnectTimeoutError"]),
    (
        "the function is broken",
        answered({"errorMessage": "PICOHA_CELL = 'X': ...", "errorType": "SettingsInvalid"}, "Unhandled"),
        False,
        ["the function itself failed: SettingsInvalid: PICOHA_CELL = 'X': ...; its log says more"],
    ),
    (
        "it was cut off",
        answered("Task timed out after 75.00 seconds", "Unhandled"),
        False,
        ["Task timed out"],
    ),
    ("no JSON", answered("<html>"), False, ["its answer is not understood"]),
    ("another version", answered({**REPLY, "schema": 2}), False, ["is it another version?"]),
    ("another function", answered({"outcome": "ignored"}), False, ["its answer is not understood"]),
]


@pytest.mark.parametrize(
    ("answer", "is_known", "parts"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN]
)
@pytest.mark.parametrize("words", ["status", "mode observe --reason test"])
def test_without_an_answer_it_is_3_and_said_whether_anything_may_have_changed(
    line: Line, words: str, answer: Answer, is_known: bool, parts: list[str]
) -> None:
    line.will(answer)
    result = picoha(*words.split(), "--cell", "demo")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"picoha: asking {FUNCTION}: ")
    assert [part for part in parts if part not in result.stderr] == []
    unsure = "whether anything was changed is not known: look with `picoha status`\n"
    assert result.stderr.endswith("; nothing was changed\n" if is_known else unsure)
    assert len(line.requests) == 1, "a second attempt would be a second order"


def test_without_an_answer_a_machine_gets_json(line: Line) -> None:
    line.will(error(403, "AccessDeniedException", "no"))
    result = picoha("status", "--cell", "demo", "--json")
    plain = json.loads(result.stdout)
    assert (result.exit_code, plain["schema"], plain["code"], plain["data"]) == (3, 1, 3, {})
    assert "AccessDeniedException" in plain["message"]


def test_a_request_is_sent_as_it_was_typed(line: Line) -> None:
    line.will(answered(REPLY))
    result = picoha("pause", "ec1", "--for", "30m", "--reason", "patching", "--cell", "demo")
    assert (result.exit_code, result.stdout) == (0, f"{REPLY['message']}\n")
    [request] = line.requests
    assert f"/functions/{FUNCTION}/invocations" in str(request.url)
    body: Any = request.body
    assert json.loads(body) == {
        "schema": 1,
        "verb": "pause",
        "args": {"slot": "ec1", "for_s": 1800},
        "reason": "patching",
        "by": "ops",
    }


@pytest.mark.parametrize(
    ("words", "environ", "function"),
    [
        ("status --cell a", {}, "picoha-a-operator"),
        ("status", {"PICOHA_CELL": "b"}, "picoha-b-operator"),
        ("status --stack picoha-a-b", {}, "picoha-a-b-operator"),
        ("status", {"PICOHA_STACK": "picoha-c"}, "picoha-c-operator"),
        ("status --stack picoha-a --cell a", {}, "picoha-a-operator"),
        ("status", {"PICOHA_STACK": "picoha-b", "PICOHA_CELL": "b"}, "picoha-b-operator"),
        # What is typed beats a variable of the other kind.
        ("status --cell a", {"PICOHA_STACK": "picoha-b"}, "picoha-a-operator"),
        ("status --cell a", {"PICOHA_STACK": "failover"}, "picoha-a-operator"),
        ("status --stack picoha-a", {"PICOHA_CELL": "b"}, "picoha-a-operator"),
    ],
)
def test_the_function_is_found_by_cell_or_stack(
    line: Line, words: str, environ: dict[str, str], function: str
) -> None:
    line.will(answered({**REPLY, "data": {}}))
    assert picoha(*words.split(), **environ).exit_code == 0
    assert f"/functions/{function}/invocations" in str(line.requests[0].url)


def test_without_a_cell_it_is_2_and_nothing_is_sent(line: Line) -> None:
    result = picoha("status", PICOHA_CELL="", PICOHA_STACK="")
    assert result.exit_code == 2
    assert "which cell? give --cell or --stack" in result.stderr
    assert line.requests == []


@pytest.mark.parametrize(
    ("words", "environ", "told"),
    [
        (
            "--stack failover",
            {},
            "stack 'failover' names no cell: the stack of cell X is picoha-X; give --cell",
        ),
        ("", {"PICOHA_STACK": "picoha-A"}, "stack 'picoha-A' names no cell"),
        ("--stack picoha-a --cell b", {}, "cell 'b' is not the cell of stack 'picoha-a'"),
        (
            "",
            {"PICOHA_STACK": "picoha-a", "PICOHA_CELL": "b"},
            "cell 'b' is not the cell of stack 'picoha-a'",
        ),
    ],
)
def test_a_stack_that_names_no_cell_or_another_is_2_and_nothing_is_sent(
    line: Line, words: str, environ: dict[str, str], told: str
) -> None:
    result = picoha("status", *words.split(), **environ)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr and result.stderr.endswith("; nothing was changed\n")
    assert line.requests == []


def test_a_story_that_is_not_there_is_2() -> None:
    result = picoha("status", "--against", "drill", "--story", "no-such.toml")
    assert result.exit_code == 2 and "reading story no-such.toml" in result.stderr


# Waiting: the loop goes on without the command.


class Scripted:
    """A channel that gives planned answers; what is an exception is raised."""

    def __init__(self, *planned: object) -> None:
        self.planned = list(planned)
        self.sent: list[str] = []
        self.waited = 0.0

    def send(self, request: Any) -> dict[str, Any]:
        self.sent.append(request["verb"])
        answer = self.planned.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return {**REPLY, **answer}

    def wait(self, seconds: float) -> None:
        self.waited += seconds


WAITING = {"data": {"state": "waiting"}}
ADMITTED = {"data": {"state": "answered", "event": "admitted", "operation": "ec1-1-1"}}


def step(name: str, code: int = 0) -> dict[str, Any]:
    trail = {"admitted": "2026-11-22T12:00:00+00:00", name: "2026-11-22T12:00:09+00:00"}
    return {"code": code, "data": {"operation": {"id": "ec1-1-1", "step": name, "trail": trail}}}


def finished(*planned: object) -> tuple[dict[str, Any], Scripted, list[str]]:
    way, lines = Scripted(*planned), list[str]()
    return Client(way, "ops", lines.append).finish("r1", "ec1"), way, lines


def test_a_lost_poll_is_asked_again_and_said() -> None:
    lost = OperatorUnreachable("throttled")
    reply, way, lines = finished(lost, WAITING, ADMITTED, lost, step("fencing"), step("done"))
    assert (reply["code"], way.sent.count("follow"), way.sent.count("show")) == (0, 3, 3)
    assert lines[0] == "no answer (throttled); asking again"
    assert [one.split()[-1] for one in lines if one.startswith("  ")] == ["admitted", "fencing", "done"]


def test_a_function_that_stays_away_ends_the_watching() -> None:
    with pytest.raises(OperatorUnreachable):
        finished(*[OperatorUnreachable("throttled")] * PATIENCE)


@pytest.mark.parametrize("name", ["aborted", "needs-operator"])
def test_an_operation_that_did_not_end_well_is_1(name: str) -> None:
    assert finished(ADMITTED, step(name))[0]["code"] == 1


def test_a_refusal_of_the_loop_is_1() -> None:
    refused = {"code": 1, "data": {"state": "answered", "event": "refused", "operation": ""}}
    reply, way, _ = finished(WAITING, refused)
    assert (reply["code"], way.sent) == (1, ["follow", "follow"])


def test_what_was_confirmed_gives_the_loop_time_to_go_on() -> None:
    confirmed = {"data": {"state": "answered", "event": "confirmed-fenced", "operation": "ec1-1-1"}}
    stuck = step("needs-operator")
    reply, _, lines = finished(confirmed, stuck, stuck, step("verifying"), step("done"))
    assert reply["code"] == 0
    assert sum("needs-operator" in one for one in lines) == 1


def test_a_mark_is_told_once() -> None:
    told: set[str] = set()
    operation = step("fencing")["data"]["operation"]
    assert [mark.split() for mark in marks(operation, told)] == [
        ["12:00:00", "admitted"],
        ["12:00:09", "fencing"],
    ]
    assert list(marks(operation, told)) == []


# `verify --cell` asks the same function.


@pytest.mark.parametrize(
    ("data", "code", "told"),
    [
        ({"broken": [], "not_checked": []}, 0, "every promise that the records can show was kept"),
        ({"broken": ["S1: ec1 epoch 3 was granted twice"], "not_checked": []}, 1, "S1: ec1 epoch 3"),
        ({}, 3, "ENFORCE demo: ok; nothing was changed; nothing could be verified"),
    ],
)
def test_the_records_of_a_cell_are_verified_by_its_function(
    line: Line, data: dict[str, Any], code: int, told: str
) -> None:
    line.will(answered({**REPLY, "data": data}))
    result = picoha("verify", "--cell", "demo", "--hours", "2")
    assert (result.exit_code, told in result.output) == (code, True)
    body: Any = line.requests[0].body
    assert json.loads(body)["args"] == {"since_s": 7200}


def test_a_cell_whose_function_does_not_answer_is_not_called_verified(line: Line) -> None:
    line.will(error(403, "AccessDeniedException", "no"))
    result = picoha("verify", "--cell", "demo")
    assert result.exit_code == 3 and "AccessDeniedException" in result.stderr
