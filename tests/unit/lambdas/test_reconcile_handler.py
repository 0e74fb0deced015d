"""The Lambda handler around the loop: its reply, its log line, its metrics, and how it fails."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from picoha.lambdas.reconcile_handler import build
from picoha.settings import Settings
from unit.app.loop_ports import EC1_HOST
from unit.app.loop_rig import Cell, fencing, settled

ROOT = Path(__file__).parents[3]
SETTINGS = Settings.load({"AWS_REGION": "eu-west-1", "PICOHA_CELL": "demo"})


def event(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


class Invocation:
    """What Lambda hands to a handler beside the event."""

    function_name = "picoha-demo-reconcile"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:picoha-demo-reconcile:live"
    aws_request_id = "request-7"

    def __init__(self, left_s: float = 75) -> None:
        self._left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left_s * 1000)


class Function:
    """The handler over a cell's ports, as reconcile_lambda builds it."""

    numbers = itertools.count()

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self._log = io.StringIO()
        # A logger is kept by its name for the whole process: each of these needs its own stream.
        logger = Logger(service=f"picoha-{next(self.numbers)}", level="INFO", stream=self._log)
        self._handler = build(SETTINGS, cell.ports, logger, Metrics(namespace="picoha"))

    def ring(self, given: Any, left_s: float = 75) -> dict[str, Any]:
        context: Any = Invocation(left_s)
        return self._handler(given, context)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.getvalue().splitlines()]


@pytest.fixture
def function() -> Function:
    return Function(settled())


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the one line of metrics on standard output, as CloudWatch reads it."""
    [line] = capsys.readouterr().out.splitlines()
    plain: dict[str, Any] = json.loads(line)
    return plain


def test_a_doorbell_is_answered_logged_with_its_request_and_counted(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = function.ring(event("alarm-ec"))
    assert (reply["outcome"], reply["passes"]) == ("driven", 1)
    [line] = function.lines()
    assert (line["level"], line["message"]) == ("INFO", "doorbell answered")
    assert (line["cause"], line["function_request_id"], line["budget_s"]) == ("alarm", "request-7", 50)
    assert line["reply"] == reply
    metrics = counted(capsys)
    assert (metrics["Cell"], metrics["Doorbells"]) == ("demo", [1.0])
    [emitted] = metrics["_aws"]["CloudWatchMetrics"]
    assert emitted["Namespace"] == "picoha"
    assert "Cell" in emitted["Dimensions"][0]


@pytest.mark.parametrize(
    ("given", "metric"),
    [
        ({"source": "aws.s3", "detail-type": "Object Created", "detail": {}}, "UnknownEvents"),
        ({"alarmData": {}}, "MalformedEvents"),
        (None, "MalformedEvents"),
    ],
)
def test_no_doorbell_is_counted_as_such_and_the_cell_is_not_looked_at(
    function: Function, given: Any, metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    function.cell.eyes.asked.clear()
    reply = function.ring(given)
    assert reply["outcome"] == "ignored"
    assert function.cell.eyes.asked == []
    assert function.cell.voice.beats == 0
    metrics = counted(capsys)
    assert metrics[metric] == [1.0]
    assert "Doorbells" not in metrics
    [line] = function.lines()
    assert (line["level"], line["reason"]) == ("WARNING", reply["reason"])


def test_an_error_of_the_loop_is_logged_counted_and_raised_for_the_failure_destination(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("a mistake of ours")

    function.cell.memory.before_load = broken
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        function.ring(event("tick-scheduler"))
    [line] = function.lines()
    assert (line["level"], line["message"], line["cause"]) == ("ERROR", "doorbell failed", "tick")
    assert "RuntimeError: a mistake of ours" in line["exception"]
    assert counted(capsys)["Doorbells"] == [1.0]


def test_one_invocation_leaves_nothing_in_the_log_of_the_next(function: Function) -> None:
    function.ring(event("alarm-ec"))
    function.ring({"alarmData": {}})
    first, second = function.lines()
    assert "cause" in first and "cause" not in second


WAITING = ["alarm-ec", "alarm-through-sns", "tick-scheduler", "tick-rule"]
PASSING = ["ec2-state-change", "asg-launch-lifecycle", "asg-terminate-successful", "health-retirement"]


@pytest.mark.parametrize("name", WAITING)
def test_an_alarm_and_a_tick_wait_for_effects_inside_the_drive(name: str) -> None:
    function = Function(fencing())
    start = function.cell.clock.elapsed
    function.ring(event(name))
    assert 45 <= function.cell.clock.elapsed - start < SETTINGS.drive_s


@pytest.mark.parametrize("name", PASSING)
def test_other_doorbells_send_what_is_due_and_wait_for_nothing(name: str) -> None:
    function = Function(fencing())
    function.ring(event(name))
    assert function.cell.clock.slept == []
    assert function.cell.hands.orders[0] == ("fence", EC1_HOST, False)


@pytest.mark.parametrize("left_s", [10, 3, 0])
def test_an_invocation_that_is_almost_over_still_takes_one_look(left_s: float) -> None:
    function = Function(fencing())
    reply = function.ring(event("alarm-ec"), left_s)
    assert (reply["passes"], function.cell.clock.slept) == (1, [])


# The module that Lambda imports.

CALL = """
from picoha.lambdas import reconcile as reconcile_lambda
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"
    def get_remaining_time_in_millis(self): return 75000
print(reconcile_lambda.handler({"alarmData": {}}, Context())["outcome"])
"""


def started(**environ: str) -> subprocess.CompletedProcess[str]:
    """Run the module in a process of its own, without credentials and without a configuration."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    code = [sys.executable, "-c", CALL]
    path = {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(code, env=bare | path | environ, capture_output=True, text=True, check=False)


def test_the_deployed_module_starts_from_its_environment_alone() -> None:
    done = started(AWS_REGION="eu-west-1", PICOHA_CELL="demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "ignored"


def test_a_wrong_environment_ends_it_at_its_import_with_every_wrong_variable() -> None:
    done = started(AWS_REGION="eu-west-1", PICOHA_CELL="Demo!", PICOHA_DRIVE_S="900", PICOHA_TYPO="1")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("picoha.app.errors.SettingsInvalid: reading settings from the environment: ")
    assert all(name in last for name in ("PICOHA_CELL", "PICOHA_DRIVE_S", "PICOHA_TYPO"))
