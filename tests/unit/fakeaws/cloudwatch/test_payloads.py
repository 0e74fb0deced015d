"""Built events against the documented ones: same keys, same types, at every depth.

Sources: AWS user guide, "Invoke a Lambda function from an alarm" and "Alarm events and
EventBridge"; SNS developer guide; AWS's published Lambda samples of alarm messages.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from picoha.fakeaws import eventbridge
from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.cloudwatch.alarms import Alarms
from picoha.fakeaws.cloudwatch.metrics import MetricStore
from picoha.fakeaws.scheduler import START, Scheduler
from picoha.fakeaws.sns import Topics

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:picoha-demo"
METRIC = {
    "Namespace": "picoha",
    "MetricName": "Healthy",
    "Dimensions": [{"Name": "Slot", "Value": "platform1"}],
}
SINGLE: dict[str, Any] = {**METRIC, "Period": 10, "Statistic": "Minimum"}
FILLED: dict[str, Any] = {
    "Metrics": [
        {"Id": "e1", "Expression": "FILL(m1, 0)", "Label": "HealthyFilled"},
        {"Id": "m1", "MetricStat": {"Metric": METRIC, "Period": 10, "Stat": "Minimum"}, "ReturnData": False},
    ]
}

Shape = Any
TEXT, NUMBER, YES_NO, NOTHING = "str", "float", "bool", "NoneType"

REASON = {
    "version": TEXT,
    "queryDate": TEXT,
    "startDate": TEXT,
    "statistic": TEXT,
    "period": "int",
    "recentDatapoints": [NUMBER],
    "threshold": NUMBER,
    "evaluatedDatapoints": [{"timestamp": TEXT, "sampleCount": NUMBER, "value": NUMBER}],
}
STATE = {"value": TEXT, "reason": TEXT, "reasonData": REASON, "timestamp": TEXT}
FIRST_STATE = {"value": TEXT, "reason": TEXT, "timestamp": TEXT}
STAT_QUERY = {
    "id": TEXT,
    "metricStat": {
        "metric": {"namespace": TEXT, "name": TEXT, "dimensions": {"Slot": TEXT}},
        "period": "int",
        "stat": TEXT,
    },
    "returnData": YES_NO,
}
MATH_QUERY = {"id": TEXT, "expression": TEXT, "label": TEXT, "returnData": YES_NO}
SNS_METRIC = {"Dimensions": [{"value": TEXT, "name": TEXT}], "MetricName": TEXT, "Namespace": TEXT}
SNS_RULE = {
    "Period": "int",
    "EvaluationPeriods": "int",
    "DatapointsToAlarm": "int",
    "ComparisonOperator": TEXT,
    "Threshold": NUMBER,
    "TreatMissingData": TEXT,
    "EvaluateLowSampleCountPercentile": TEXT,
}


def detail(metrics: list[Shape], previous: Shape) -> Shape:
    configuration = {"description": TEXT, "metrics": metrics}
    return {"alarmName": TEXT, "state": STATE, "previousState": previous, "configuration": configuration}


def lambda_event(metrics: list[Shape], previous: Shape) -> Shape:
    top = dict.fromkeys(("source", "alarmArn", "accountId", "time", "region"), TEXT)
    return {**top, "alarmData": detail(metrics, previous)}


def sns_message(trigger: Shape) -> Shape:
    texts = (
        *("AlarmName", "AlarmDescription", "AWSAccountId", "NewStateValue", "NewStateReason"),
        *("StateChangeTime", "Region", "AlarmArn", "OldStateValue"),
    )
    return {**dict.fromkeys(texts, TEXT), "Trigger": trigger}


def shape(value: Any) -> Shape:
    """Give keys and types; JSON inside a string is opened, a list's members are listed once each."""
    if isinstance(value, str) and value.startswith("{"):
        return shape(json.loads(value))
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        shapes = [shape(one) for one in value]
        return [one for number, one in enumerate(shapes) if one not in shapes[:number]]
    return type(value).__name__


class Drill:
    """A host that reports 1, then 0, under one alarm; Lambda, bus and topic capture what is sent."""

    def __init__(self, watched: dict[str, Any], silent: bool = False) -> None:
        self.scheduler = Scheduler()
        self.topics = Topics(self.scheduler)
        self.topic = self.topics.create("picoha-demo")
        self.invoked: list[dict[str, Any]] = []
        self.emitted: list[tuple[Any, ...]] = []
        store = MetricStore(self.scheduler, 0.0)
        alarms = Alarms(
            self.scheduler,
            store,
            invoke=lambda _, event: self.invoked.append(event),
            publish=self.topics.publish,
            emit=lambda *event: self.emitted.append(event),
        )

        def report() -> None:
            value = 1.0 if self.scheduler.elapsed < 60 else 0.0
            datum = {**METRIC, "Value": value, "StorageResolution": 1}
            store.put_metric_data({"Namespace": datum.pop("Namespace"), "MetricData": [datum]})

        if not silent:
            self.scheduler.every(10, report, first_s=0)
        self.scheduler.run_for(30)
        alarms.put_metric_alarm({
            "AlarmName": "picoha-demo-platform1",
            "AlarmDescription": "Healthy of platform1",
            "AlarmActions": [FUNCTION, self.topic],
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": 2,
            "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
            **watched,
        })  # fmt: skip
        self.scheduler.run_for(90)


def test_lambda_event_of_a_single_metric_alarm_has_the_documented_shape() -> None:
    """AWS user guide, "Invoke a Lambda function from an alarm": single metric."""
    (event,) = Drill(SINGLE).invoked
    assert shape(event) == lambda_event([STAT_QUERY], STATE)


def test_lambda_event_of_a_metric_math_alarm_has_the_documented_shape() -> None:
    """AWS user guide, "Invoke a Lambda function from an alarm": metric math."""
    (event,) = Drill(FILLED).invoked
    assert shape(event) == lambda_event([MATH_QUERY, STAT_QUERY], STATE)
    assert [metric["returnData"] for metric in event["alarmData"]["configuration"]["metrics"]] == [
        True,
        False,
    ]


def test_lambda_event_of_a_first_state_has_a_previous_state_without_reason_data() -> None:
    """AWS user guide: "Unchecked: Initial alarm creation"; no data at all has no evaluated points."""
    (event,) = Drill(FILLED, silent=True).invoked
    expected = lambda_event([MATH_QUERY, STAT_QUERY], FIRST_STATE)
    never = {key: value for key, value in REASON.items() if key not in ("startDate", "evaluatedDatapoints")}
    expected["alarmData"]["state"] = {**STATE, "reasonData": {**never, "recentDatapoints": []}}
    assert shape(event) == expected
    assert event["alarmData"]["previousState"]["reason"] == "Unchecked: Initial alarm creation"


def test_lambda_event_tells_the_crossing_consistently() -> None:
    """AWS user guide: time, state and reason data describe one evaluation."""
    (event,) = Drill(SINGLE).invoked
    state, previous = event["alarmData"]["state"], event["alarmData"]["previousState"]
    told = json.loads(state["reasonData"])
    assert (state["value"], previous["value"], event["accountId"]) == ("ALARM", "OK", "123456789012")
    assert event["time"] == state["timestamp"] == told["queryDate"]
    assert event["time"].startswith("2026-11-22T12:01:2") and event["time"].endswith("+0000")
    assert told["recentDatapoints"] == [1.0, 0.0, 0.0]
    assert told["evaluatedDatapoints"][0]["timestamp"] == "2026-11-22T12:01:10.000+0000", "newest first"
    assert (
        "2 out of the last 3 datapoints [0.0 (22/11/26 12:01:10), 0.0 (22/11/26 12:01:00)]" in state["reason"]
    )


@pytest.mark.parametrize(
    ("watched", "metrics"),
    [(SINGLE, [STAT_QUERY]), (FILLED, [MATH_QUERY, STAT_QUERY])],
    ids=["single", "math"],
)
def test_eventbridge_envelope_has_the_documented_shape(watched: dict[str, Any], metrics: list[Shape]) -> None:
    """AWS user guide, "Alarm events and EventBridge" (muteDetail only when a mute rule applies)."""
    emitted = Drill(watched).emitted[-1]
    event = eventbridge.eventbridge_event(*emitted, at=START + timedelta(seconds=31), event_id="c4c1c1c9")
    texts = ("version", "id", "detail-type", "source", "account", "time", "region")
    assert shape(event) == {
        **dict.fromkeys(texts, TEXT),
        "resources": [TEXT],
        "detail": detail(metrics, STATE),
    }
    assert event["time"] == "2026-11-22T12:00:31Z"


@pytest.mark.parametrize(
    ("watched", "trigger"),
    [
        (SINGLE, {**SNS_METRIC, **SNS_RULE, "StatisticType": TEXT, "Statistic": TEXT, "Unit": NOTHING}),
        (
            FILLED,
            {
                **SNS_RULE,
                "Metrics": [
                    {"Id": TEXT, "Expression": TEXT, "Label": TEXT, "ReturnData": YES_NO},
                    {
                        "Id": TEXT,
                        "MetricStat": {"Metric": SNS_METRIC, "Period": "int", "Stat": TEXT},
                        "ReturnData": YES_NO,
                    },
                ],
            },
        ),
    ],
    ids=["single", "math"],
)
def test_sns_record_of_an_alarm_has_the_documented_shape(watched: dict[str, Any], trigger: Shape) -> None:
    """AWS's published Lambda samples: CloudWatch alarm SNS payload, single and multiple metrics."""
    event = Drill(watched).topics.published[0].lambda_event("arn:aws:sns:eu-west-1:123456789012:t:0")
    plain = (
        *("Type", "MessageId", "TopicArn", "Subject", "Timestamp", "SignatureVersion", "Signature"),
        *("SigningCertUrl", "UnsubscribeUrl"),
    )
    record = dict.fromkeys(("EventSource", "EventVersion", "EventSubscriptionArn"), TEXT)
    sns = {**dict.fromkeys(plain, TEXT), "Message": sns_message(trigger), "MessageAttributes": {}}
    assert shape(event) == {"Records": [{**record, "Sns": sns}]}


def sns_client(topics: Topics) -> Any:
    return fake_session({"sns": topics}).client("sns")


def test_publish_captures_and_forwards_to_subscribers() -> None:
    """SNS API reference, Publish; SNS developer guide, the Lambda event's attributes."""
    scheduler = Scheduler()
    topics = Topics(scheduler)
    received: list[dict[str, Any]] = []
    arn = topics.create("picoha-demo")
    topics.subscribe(arn, received.append)
    scheduler.run_for(5)
    attributes = {"slot": {"DataType": "String", "StringValue": "ec1"}}
    answer = sns_client(topics).publish(
        TopicArn=arn, Subject="OBSERVE ec1", Message="nothing was changed", MessageAttributes=attributes
    )
    (message,) = topics.published
    assert (message.topic, message.subject, message.message) == (arn, "OBSERVE ec1", "nothing was changed")
    assert message.at == START + timedelta(seconds=5)
    sns = received[0]["Records"][0]["Sns"]
    assert sns["MessageId"] == answer["MessageId"] == message.message_id
    assert sns["MessageAttributes"] == {"slot": {"Type": "String", "Value": "ec1"}}
    assert sns["Timestamp"] == "2026-11-22T12:00:05.000Z"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"Subject": "x" * 100}, "InvalidParameter"),
        ({"Subject": "two\nlines"}, "InvalidParameter"),
        ({"Subject": "caf\u00e9"}, "InvalidParameter"),
        ({"Subject": ""}, "InvalidParameter"),
        ({"Message": ""}, "InvalidParameter"),
        ({"Message": "x" * 262_145}, "InvalidParameter"),
        ({"TopicArn": "arn:aws:sns:eu-west-1:123456789012:nobody"}, "NotFound"),
    ],
)
def test_a_wrong_publish_is_refused_and_captured_nowhere(wrong: dict[str, str], code: str) -> None:
    """SNS API reference, Publish: constraints of Subject and Message, NotFound."""
    topics = Topics(Scheduler())
    params = {"TopicArn": topics.create("picoha-demo"), "Subject": "s", "Message": "m", **wrong}
    with pytest.raises(ClientError) as caught:
        sns_client(topics).publish(**params)
    assert caught.value.response["Error"]["Code"] == code
    assert topics.published == []


def test_a_publish_at_the_limits_passes() -> None:
    """SNS API reference, Publish: under 100 characters, 262,144 bytes."""
    topics = Topics(Scheduler())
    arn = topics.create("picoha-demo")
    sns_client(topics).publish(TopicArn=arn, Subject="x" * 99, Message="x" * 262_144)
    sns_client(topics).publish(TopicArn=arn, Message="no subject")
    assert [message.subject and len(message.subject) for message in topics.published] == [99, None]
