"""What CloudWatch sends when an alarm changes: to Lambda, to SNS, to EventBridge.

Shapes: AWS user guide, "Invoke a Lambda function from an alarm" and "Alarm events and EventBridge"; for the
alarm's SNS message the published AWS Lambda samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer
from picoha.fakeaws.cloudwatch.alarm_rules import AlarmRule

REGION_NAME = "EU (Ireland)"


@dataclass(frozen=True)
class AlarmCondition:
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
class MetricAlarm:
    """A metric alarm: its PutMetricAlarm parameters, what they mean, and where it stands.

    `queries` by id, the id `watched`, and `stat`, the MetricStat that query rests on.
    """

    arn: str
    spec: dict[str, Any]
    queries: dict[str, dict[str, Any]]
    watched: str
    stat: dict[str, Any]
    rule: AlarmRule
    standing: AlarmCondition
    previous: AlarmCondition

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


def alarm_detail(alarm: MetricAlarm) -> Answer:
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


def lambda_alarm_event(alarm: MetricAlarm) -> Answer:
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
    return [{"value": dimension["Value"], "name": dimension["Name"]} for dimension in dimensions]


def _trigger(alarm: MetricAlarm) -> Answer:
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


def sns_alarm_message(alarm: MetricAlarm) -> Answer:
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
