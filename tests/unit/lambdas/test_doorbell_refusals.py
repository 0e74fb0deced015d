"""`parse` takes alarms out of SNS deliveries and refuses the rest by name, with field, value and rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from picoha.app.errors import MalformedEvent, UnknownEvent
from picoha.lambdas.doorbells import parse

EVENTS = Path(__file__).parents[3] / "events"
PLATFORM = "picoha-demo-platform1"


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def without(event: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = event
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return event


def sns_record(message: object) -> dict[str, Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {"EventSource": "aws:sns", "Sns": {"MessageId": "m-1", "Message": text}}


def test_several_alarms_in_one_sns_delivery_ring_once_with_every_name() -> None:
    event = load("alarm-through-sns")
    event["Records"].append(sns_record({"AlarmName": "picoha-demo-ec1", "NewStateValue": "ALARM"}))
    wakeup = parse(event)
    assert wakeup.subjects == (PLATFORM, "picoha-demo-ec1")
    assert wakeup.detail.endswith("with 1 more in the same delivery")


def test_composite_alarm_through_sns_rings() -> None:
    message = {"AlarmName": "picoha-demo-any", "AlarmRule": "ALARM(a)", "NewStateValue": "OK"}
    assert parse({"Records": [sns_record(message)]}).detail == "alarm picoha-demo-any (through SNS) is OK"


def test_alarm_beside_another_message_rings_and_names_the_ignored_one() -> None:
    event = load("alarm-through-sns")
    event["Records"].insert(0, sns_record("hello"))
    wakeup = parse(event)
    assert wakeup.subjects == (PLATFORM,)
    assert "1 ignored, first: event.Records.0.Sns.Message: 'hello'" in wakeup.detail


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "[" * 200_000,
        {"Event": "autoscaling:TEST_NOTIFICATION", "AutoScalingGroupName": "demo-platform1"},
        {"Event": "autoscaling:EC2_INSTANCE_LAUNCH", "AutoScalingGroupName": "demo-platform1"},
        ["AlarmName"],
    ],
)
def test_sns_message_that_is_no_alarm_is_unknown(message: object) -> None:
    with pytest.raises(UnknownEvent, match="is not an alarm notification"):
        parse({"Records": [sns_record(message)]})


def test_record_of_another_service_is_unknown() -> None:
    with pytest.raises(UnknownEvent, match=r"Records\.0\.EventSource: 'aws:sqs'; only records from aws:sns"):
        parse({"Records": [{"EventSource": "aws:sqs", "body": "{}"}]})


@pytest.mark.parametrize("records", [None, [], {}, "x", 3])
def test_records_that_are_no_filled_array_are_malformed(records: object) -> None:
    with pytest.raises(MalformedEvent, match=r"event\.Records: .* at least one record"):
        parse({"Records": records})


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Event": "autoscaling:TEST_NOTIFICATION"},
        {"source": "aws.ec2", "detail": {}},
    ],
)
def test_event_of_no_known_shape_is_unknown(event: object) -> None:
    with pytest.raises(UnknownEvent, match="a doorbell has Records, alarmData or detail-type"):
        parse(event)


@pytest.mark.parametrize(
    ("source", "detail_type"),
    [
        ("aws.autoscaling", "EC2 Auto Scaling Instance Refresh Started"),
        ("aws.ec2", "EBS Volume Notification"),
        ("com.example", "Scheduled Event"),
        ("aws.cloudwatch", "EC2 Instance State-change Notification"),
    ],
)
def test_other_eventbridge_event_is_unknown(source: str, detail_type: str) -> None:
    with pytest.raises(UnknownEvent, match="is not one of picoha's doorbells") as refused:
        parse({"source": source, "detail-type": detail_type, "detail": {}})
    assert source in str(refused.value)
    assert detail_type in str(refused.value)


@pytest.mark.parametrize("event", [None, "x", 7, 1.5, True, [], [{"alarmData": {}}], b"{}"])
def test_event_that_is_no_object_is_malformed(event: object) -> None:
    with pytest.raises(MalformedEvent, match="must be a JSON object"):
        parse(event)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("alarm-platform", ("alarmData", "alarmName")),
        ("alarm-contributor", ("alarmData", "state")),
        ("alarm-composite", ("alarmData", "state", "value")),
        ("alarm-through-eventbridge", ("detail",)),
        ("alarm-through-eventbridge", ("source",)),
        ("asg-launch-lifecycle", ("detail", "EC2InstanceId")),
        ("asg-launch-lifecycle", ("detail", "LifecycleHookName")),
        ("asg-terminate-successful", ("detail", "AutoScalingGroupName")),
        ("ec2-state-change", ("detail", "instance-id")),
        ("spot-interruption", ("detail", "instance-action")),
        ("health-retirement", ("detail", "eventTypeCode")),
    ],
)
def test_event_without_a_needed_field_is_malformed_and_names_it(name: str, path: tuple[str, ...]) -> None:
    with pytest.raises(MalformedEvent, match=rf"event\.{'.'.join(path)}: "):
        parse(without(load(name), *path))


@pytest.mark.parametrize("bad", ["ec2", "i-123", "i-0a1b2c3d4e5f6071G", "i-0a1b2c3d\n", "", None, 5, [], {}])
def test_wrong_instance_id_is_malformed_and_shown_with_its_rule(bad: object) -> None:
    event = load("ec2-state-change")
    event["detail"]["instance-id"] = bad
    with pytest.raises(MalformedEvent, match=r"event\.detail\.instance-id: .*; rule: "):
        parse(event)


def test_name_with_control_characters_is_malformed_and_shown_escaped() -> None:
    event = load("alarm-platform")
    event["alarmData"]["alarmName"] = "a\x1b[2J\nfake log line"
    with pytest.raises(MalformedEvent, match="must be printable text") as refused:
        parse(event)
    assert str(refused.value).isprintable()


def test_long_value_is_cut_to_100_characters_in_the_reason() -> None:
    event = load("alarm-platform")
    event["alarmData"]["alarmName"] = "x" * 5000
    with pytest.raises(MalformedEvent) as refused:
        parse(event)
    shown = str(refused.value).removeprefix("event.alarmData.alarmName: ").partition("; rule: ")[0]
    assert len(shown) == 100
    assert shown.endswith("...")
