"""What AWS sends when something happens: alarm events, EventBridge envelopes, SNS messages.

Shapes: AWS user guide, "Invoke a Lambda function from an alarm" and "Alarm events and
EventBridge"; SNS developer guide, "Invoking Lambda functions"; for the alarm's SNS message the
published AWS Lambda samples.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, Operation
from picoha.fakeaws.cloudwatch.alarm_rules import Rule
from picoha.fakeaws.cloudwatch.metrics import invalid, only_played
from picoha.fakeaws.scheduler import DeskFault, Kernel

REGION_NAME = "EU (Ireland)"


@dataclass(frozen=True)
class Standing:
    """One state of an alarm: value, reason, machine-readable reason (JSON, may be absent), since."""

    value: str
    reason: str
    reason_json: str | None
    at: datetime

    def told(self) -> Answer:
        """Give the `state` object of an alarm event."""
        told = {"value": self.value, "reason": self.reason, "timestamp": alarm_time(self.at)}
        return told if self.reason_json is None else {**told, "reasonData": self.reason_json}


@dataclass
class Alarm:
    """A metric alarm: its PutMetricAlarm parameters, what they mean, and where it stands.

    `queries` by id, the id `watched`, and `stat`, the MetricStat that query rests on.
    """

    arn: str
    spec: dict[str, Any]
    queries: dict[str, dict[str, Any]]
    watched: str
    stat: dict[str, Any]
    rule: Rule
    standing: Standing
    previous: Standing

    @property
    def interval_s(self) -> float:
        """Seconds between evaluations (AWS user guide, "Alarm evaluation")."""
        return 10.0 if self.stat["Period"] < 60 else 60.0

    @property
    def name(self) -> str:
        """The alarm's name."""
        return str(self.spec["AlarmName"])


def alarm_time(at: datetime, zone: str = "+0000") -> str:
    """Write a UTC time as alarm payloads do: milliseconds, offset without a colon."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}{zone}"


def _told_query(query: Mapping[str, Any]) -> Answer:
    """Write one metric query as in `configuration.metrics`: lower camel case, dimensions an object."""
    told: Answer = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if "Label" in query:
        told["label"] = query["Label"]
    if "Expression" in query:
        return {**told, "expression": query["Expression"]}
    stat = query["MetricStat"]
    metric = {
        "namespace": stat["Metric"]["Namespace"],
        "name": stat["Metric"]["MetricName"],
        "dimensions": {one["Name"]: one["Value"] for one in stat["Metric"].get("Dimensions", [])},
    }
    return {**told, "metricStat": {"metric": metric, "period": stat["Period"], "stat": stat["Stat"]}}


def alarm_detail(alarm: Alarm) -> Answer:
    """Build `alarmData` (Lambda) and `detail` (EventBridge): they are the same object."""
    configuration: Answer = {"metrics": [_told_query(query) for query in alarm.queries.values()]}
    if "AlarmDescription" in alarm.spec:
        configuration["description"] = alarm.spec["AlarmDescription"]
    return {
        "alarmName": alarm.name,
        "state": alarm.standing.told(),
        "previousState": alarm.previous.told(),
        "configuration": configuration,
    }


def lambda_alarm_event(alarm: Alarm) -> Answer:
    """Build the event of a direct alarm → Lambda action."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": ACCOUNT,
        "time": alarm_time(alarm.standing.at),
        "region": REGION,
        "alarmData": alarm_detail(alarm),
    }


def _named(dimensions: Sequence[Mapping[str, str]]) -> list[Answer]:
    return [{"value": one["Value"], "name": one["Name"]} for one in dimensions]


def _trigger(alarm: Alarm) -> Answer:
    """Build the SNS message's `Trigger`: single metric, or `Metrics` for metric math."""
    rule = alarm.rule
    shared: Answer = {
        "Period": alarm.stat["Period"],
        "EvaluationPeriods": rule.n,
        "DatapointsToAlarm": rule.m,
        "ComparisonOperator": rule.comparison,
        "Threshold": rule.threshold,
        "TreatMissingData": rule.treat_missing,
        "EvaluateLowSampleCountPercentile": "",
    }
    if "Metrics" not in alarm.spec:
        single = {key: alarm.spec[key] for key in ("MetricName", "Namespace")}
        single |= {"StatisticType": "Statistic", "Statistic": alarm.spec["Statistic"].upper(), "Unit": None}
        return {**single, "Dimensions": _named(alarm.spec.get("Dimensions", [])), **shared}
    metrics = []
    for query in alarm.queries.values():
        told = {"ReturnData": True, **query}
        if stat := query.get("MetricStat"):
            metric = {**stat["Metric"], "Dimensions": _named(stat["Metric"].get("Dimensions", []))}
            told["MetricStat"] = {**stat, "Metric": metric}
        metrics.append(told)
    return {**shared, "Metrics": metrics}


def sns_alarm_message(alarm: Alarm) -> Answer:
    """Build the Publish parameters (without TopicArn) of an alarm → SNS action."""
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.spec.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT,
        "NewStateValue": alarm.standing.value,
        "NewStateReason": alarm.standing.reason,
        "StateChangeTime": alarm_time(alarm.standing.at),
        "Region": REGION_NAME,
        "AlarmArn": alarm.arn,
        "OldStateValue": alarm.previous.value,
        "Trigger": _trigger(alarm),
    }
    subject = f'{alarm.standing.value}: "{alarm.name}" in {REGION_NAME}'
    return {"Subject": subject[:99], "Message": json.dumps(message)}


def eventbridge_event(
    source: str, detail_type: str, detail: Answer, resources: Sequence[str], *, at: datetime, event_id: str
) -> Answer:
    """Wrap `detail` in EventBridge's envelope (AWS: EventBridge events reference)."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": f"{at:%Y-%m-%dT%H:%M:%S}Z",
        "region": REGION,
        "resources": list(resources),
        "detail": detail,
    }


@dataclass(frozen=True)
class Message:
    """One message published to a topic."""

    message_id: str
    topic: str
    subject: str | None
    message: str
    attributes: dict[str, Any]
    at: datetime

    def lambda_event(self, subscription: str) -> Answer:
        """Build the event a subscribed Lambda function gets."""
        attributes = {
            name: {"Type": one["DataType"], "Value": one.get("StringValue")}
            for name, one in self.attributes.items()
        }
        base = f"https://sns.{REGION}.amazonaws.com/"
        sns = {
            "Type": "Notification",
            "MessageId": self.message_id,
            "TopicArn": self.topic,
            "Subject": self.subject,
            "Message": self.message,
            "Timestamp": alarm_time(self.at, "Z"),
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertUrl": f"{base}SimpleNotificationService-EXAMPLE.pem",
            "UnsubscribeUrl": f"{base}?Action=Unsubscribe&SubscriptionArn={subscription}",
            "MessageAttributes": attributes,
        }
        record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription}
        return {"Records": [{**record, "Sns": sns}]}


class Topics:
    """SNS topics: checks, captures and forwards what is published.

    `published` keeps every message in order. A subscriber is called with the Lambda event, at
    the instant of the publish; it must not block.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.published: list[Message] = []
        self.operations: Mapping[str, Operation] = {"Publish": self.publish}
        self._kernel = kernel
        self._subscribers: dict[str, list[Callable[[Answer], None]]] = {}

    def create(self, name: str) -> str:
        """Create the topic and return its ARN."""
        arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
        self._subscribers.setdefault(arn, [])
        return arn

    def subscribe(self, topic_arn: str, receive: Callable[[Answer], None]) -> None:
        """Let `receive` get the Lambda event of every later message of an existing topic."""
        self._subscribers[topic_arn].append(receive)

    def publish(self, params: dict[str, Any]) -> Answer:
        """Answer Publish.

        AWS SNS API reference, Publish: subject under 100 characters, one line (ASCII, as older
        editions demand: the stricter of the two); message not empty, at most 262,144 bytes
        with its attributes.
        """
        only_played(params, ("TopicArn", "Subject", "Message", "MessageAttributes"))
        topic, subject, text = params.get("TopicArn", ""), params.get("Subject"), params.get("Message", "")
        if topic not in self._subscribers:
            raise DeskFault("NotFound", "Topic does not exist", 404)
        attributes = params.get("MessageAttributes", {})
        if not text:
            raise invalid("Invalid parameter: Empty message", "InvalidParameter")
        if len(text.encode()) + len(json.dumps(attributes, default=str)) - 2 > 262_144:
            raise invalid("Invalid parameter: Message too long", "InvalidParameter")
        if subject is not None and not _one_short_line(subject):
            raise invalid("Invalid parameter: Subject", "InvalidParameter")
        message_id = str(uuid.UUID(int=self._kernel.random.getrandbits(128), version=4))
        message = Message(message_id, topic, subject, text, attributes, self._kernel.now)
        self.published.append(message)
        for number, receive in enumerate(self._subscribers[topic]):
            receive(message.lambda_event(f"{topic}:{uuid.UUID(int=number)}"))
        return {"MessageId": message_id}


def _one_short_line(subject: str) -> bool:
    return 0 < len(subject) < 100 and subject.isascii() and subject.isprintable() and subject[0] != " "
