"""The dashboard and the metric filter: valid, and reading only what is really published or logged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from typing import Any

from contract.templates import CELL, PSEUDO, ROOT, of_type, rendered, resolved
from picoha.domain.decision import Answer
from picoha.domain.rules.table import LAUNCH_RULES, SLOT_RULES

# What AWS publishes by itself, by the dimension we ask with (AWS user guides, metrics of each service).
BY_AWS = {
    "AWS/Lambda": (
        "FunctionName",
        {
            "AsyncEventsDropped",
            "ConcurrentExecutions",
            "DestinationDeliveryFailures",
            "Duration",
            "Errors",
            "Throttles",
        },
    ),
    "AWS/DynamoDB": (
        "TableName",
        {
            "ConditionalCheckFailedRequests",
            "TransactionConflict",
            "ReadThrottleEvents",
            "WriteThrottleEvents",
        },
    ),
    "AWS/SNS": ("TopicName", {"NumberOfNotificationsFailed"}),
    "AWS/SQS": ("QueueName", {"ApproximateNumberOfMessagesVisible"}),
}
KNOWN = {
    "Dashboard": f"picoha-{CELL}",
    "DeadLetters.QueueName": f"picoha-{CELL}-dead-letters",
    "Operator": f"picoha-{CELL}-operator",
    "Reconcile": f"picoha-{CELL}-reconcile",
    "ReconcileLog": f"/aws/lambda/picoha-{CELL}-reconcile",
    "Topic.TopicName": f"picoha-{CELL}",
}
# The deployed module in a process of its own is rung three times: malformed, unknown, a tick. The tick finds
# one stuck operation; the decision is given, its line is the loop's own.
PROCESS = """
import json
from picoha.lambdas import reconcile as reconcile_lambda
from picoha.app import drive, reconcile
from picoha.domain.decision import Answer, Decision

class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"
    def get_remaining_time_in_millis(self):
        return 75_000

def stuck(ports, policy):
    decision = Decision(Answer.HOLD, "ec1-1-2 waits for an operator in fencing", rule=373)
    return (reconcile._told(reconcile.Line("ec1", decision, decision.answer.value)),)

drive.reconcile = stuck
unknown = {"source": "aws.s3", "detail-type": "x", "detail": {}}
for event in ({"alarmData": {}}, unknown, json.loads(TICK)):
    reconcile_lambda.handler(event, Context())
"""


@cache
def lines() -> list[dict[str, Any]]:
    """Return what the deployed module prints: its log and its metrics, as CloudWatch Logs gets them."""
    tick = (ROOT / "events" / "tick-scheduler.json").read_text()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody: the heartbeat fails, and the look is played
        "PICOHA_CELL": CELL,
        **{
            name: value
            for name, value in of_type(rendered(), "AWS::Serverless::Function")["Reconcile"]["Environment"][
                "Variables"
            ].items()
            if isinstance(value, str)
        },
    }
    done = subprocess.run(
        [sys.executable, "-c", PROCESS.replace("TICK", repr(tick))],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@cache
def body() -> dict[str, Any]:
    [dashboard] = of_type(rendered(), "AWS::CloudWatch::Dashboard").values()
    text = dashboard["DashboardBody"]["Fn::Sub"]
    arns = {name: f"arn:aws:cloudwatch:eu-west-1:1:alarm:{name[:-4]}" for name in alarm_arns(text)}
    plain: dict[str, Any] = json.loads(resolved(text, {**KNOWN, **arns}))
    return plain


def alarm_arns(text: str) -> set[str]:
    return set(re.findall(r"\$\{(\w+\.Arn)}", text))


def widgets(kind: str) -> list[dict[str, Any]]:
    return [widget["properties"] for widget in body()["widgets"] if widget["type"] == kind]


def published() -> dict[str, set[tuple[str, ...]]]:
    """Return the metrics of our own namespace and the dimensions each is published with."""
    found: dict[str, set[tuple[str, ...]]] = {"Tick": {("Cell",)}, "Healthy": {("Cell", "Slot")}}
    for line in lines():
        for told in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert told["Namespace"] == "picoha"
            for metric in told["Metrics"]:
                dimensions = {tuple(sorted(dimension)) for dimension in told["Dimensions"]}
                found.setdefault(metric["Name"], set()).update(dimensions)
    [counted] = of_type(rendered(), "AWS::Logs::MetricFilter").values()
    [transformed] = counted["MetricTransformations"]
    keys = tuple(dimension["Key"] for dimension in transformed["Dimensions"])
    return found | {transformed["MetricName"]: {keys}}


def metrics_shown() -> list[tuple[str, str, dict[str, str]]]:
    shown = []
    for widget in widgets("metric"):
        for metric in widget["metrics"]:
            plain = [part for part in metric if isinstance(part, str)]
            if plain:
                shown.append((plain[0], plain[1], dict(zip(plain[2::2], plain[3::2], strict=True))))
    return shown


def test_it_is_json_and_every_widget_has_its_place_alone() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in body()["widgets"]:
        place = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not place & taken
        assert max(x for x, _ in place) < 24
        taken |= place


def test_every_metric_shown_is_really_published_under_these_dimensions() -> None:
    assert len(metrics_shown()) >= 15
    for namespace, name, dimensions in metrics_shown():
        if namespace == "picoha":
            assert tuple(sorted(dimensions)) in published()[name], name
            assert dimensions["Cell"] == CELL
        else:
            dimension, names = BY_AWS[namespace]
            assert name in names
            assert set(dimensions) == {dimension}


def test_the_health_of_every_slot_is_found_without_a_list_of_slots() -> None:
    [search] = [
        part["expression"]
        for widget in widgets("metric")
        for metric in widget["metrics"]
        for part in metric
        if isinstance(part, dict) and "expression" in part
    ]
    schema = re.match(r"SEARCH\('\{picoha,(\w+),(\w+)} MetricName=\"(\w+)\" Cell=\"(\w+)\"'", search)
    assert schema and (schema[3], schema[4]) == ("Healthy", CELL)
    assert (schema[1], schema[2]) in published()["Healthy"]


def test_every_alarm_on_picoha_is_shown() -> None:
    [shown] = widgets("alarm")
    names = {arn.rpartition(":")[2] for arn in shown["alarms"]}
    ours = {name for name in of_type(rendered(), "AWS::CloudWatch::Alarm") if "SlotAlarm" not in name}
    assert names == ours


# Log queries and the filter, held against lines that the deployed module wrote.


def stuck_line() -> dict[str, Any]:
    [line] = [line for line in lines() if line.get("rule") == 373]
    return line


def test_every_log_query_asks_for_fields_that_a_line_has() -> None:
    made_here = {"looks", "last", "what", "seconds", "operations", "p50_s", "p95_s", "desc"}
    assert len(widgets("log")) == 3
    for widget in widgets("log"):
        source, *commands = widget["query"].split(" | ")
        assert source == f"SOURCE '{KNOWN['ReconcileLog']}'"
        words = " ".join(re.sub(r"'[^']*'", "", command.partition(" ")[2]) for command in commands)
        named = set(re.findall(r"@?[a-z_][a-z0-9_]+(?!\w*\()", words))
        known = {"by", "as", "and", "in", "limit", "pct", "count", "latest", "@timestamp"} | made_here
        assert named - known <= set(stuck_line()), widget["title"]


def test_every_answer_and_rule_a_query_names_exists() -> None:
    queries = " ".join(widget["query"] for widget in widgets("log"))
    answers = re.findall(r"'(\w+)'", "".join(re.findall(r"answer in \[(.+?)]", queries)))
    assert answers and set(answers) <= {one.value for one in Answer}
    numbers = {int(one) for one in re.findall(r"rule = (\d+)", queries)}
    known = {rule.number for rule in SLOT_RULES} | {rule.number for rule in LAUNCH_RULES}
    assert numbers <= known


def test_the_query_for_durations_reads_the_sentence_of_the_last_step() -> None:
    [query] = [widget["query"] for widget in widgets("log") if "pct(" in widget["query"]]
    pattern = re.search(r"parse message '(.+?)'", query)
    demo = " ".join((ROOT / "README.md").read_text().split())  # as `make demo` prints it: test_docs.py
    sentence = re.search(r"357 done (.+? done in \d+ s)", demo)
    assert pattern and sentence
    found = re.fullmatch(re.escape(pattern[1]).replace(r"\*", "(.*?)"), sentence[1])
    assert found and found[2].isdigit()


def test_the_filter_counts_what_waits_for_a_human_and_nothing_else() -> None:
    [counted] = of_type(rendered(), "AWS::Logs::MetricFilter").values()
    terms = counted["FilterPattern"].strip("{ }").split(" || ")
    numbers = {int(found[1]) for term in terms if (found := re.fullmatch(r"\(\$\.rule = (\d+)\)", term))}
    assert terms[len(numbers) :] == ["($.unpublished > 0)"]
    matching = [line for line in lines() if line.get("rule") in numbers]
    assert matching == [stuck_line()]
    [transformed] = counted["MetricTransformations"]
    assert transformed["MetricValue"] == "1"
    for dimension in transformed["Dimensions"]:
        assert stuck_line()[dimension["Value"].removeprefix("$.")] == CELL
    assert [rule.name for rule in SLOT_RULES if rule.number in numbers] == [
        *("the table cannot be read", "the record is from a newer version", "waiting for an operator")
    ]


def test_every_log_level_that_can_be_chosen_lets_the_filter_see_its_line() -> None:
    assert stuck_line()["level"] == "INFO"
    assert set(rendered()["Parameters"]["LogLevel"]["AllowedValues"]) == {"DEBUG", "INFO"}
    for function in of_type(rendered(), "AWS::Serverless::Function").values():
        assert function["LoggingConfig"]["ApplicationLogLevel"] == {"Ref": "LogLevel"}


def test_the_link_in_the_outputs_opens_this_dashboard() -> None:
    url = resolved(rendered()["Outputs"]["DashboardUrl"]["Value"], KNOWN)
    assert url.endswith(f"?region={PSEUDO['AWS::Region']}#dashboards/dashboard/picoha-{CELL}")
