"""CloudWatch and SNS of one small world, with one alarm and one heart that can stop beating."""

from __future__ import annotations

from typing import Any

from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.cloudwatch.alarms import Alarms
from picoha.fakeaws.cloudwatch.metrics import MetricStore
from picoha.fakeaws.scheduler import Scheduler
from picoha.fakeaws.sns import Topics

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:picoha-demo:live"
NAME = "picoha-demo-platform1"
DIMENSIONS = [{"Name": "Cell", "Value": "demo"}, {"Name": "Slot", "Value": "platform1"}]
METRIC = {"Namespace": "picoha", "MetricName": "Healthy", "Dimensions": DIMENSIONS}
SINGLE: dict[str, Any] = {**METRIC, "Period": 10, "Statistic": "Minimum"}
STAT = {"Metric": METRIC, "Period": 10, "Stat": "Minimum"}
FILLED: dict[str, Any] = {
    "Metrics": [
        {"Id": "e1", "Expression": "FILL(m1, 0)", "Label": "HealthyFilled", "ReturnData": True},
        {"Id": "m1", "MetricStat": STAT, "ReturnData": False},
    ]
}
TWO_OF_THREE: dict[str, Any] = {
    "AlarmName": NAME,
    "AlarmActions": [FUNCTION],
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 1,
    "ComparisonOperator": "LessThanThreshold",
    "TreatMissingData": "breaching",
}


class Drill:
    """CloudWatch and SNS of one world; everything sent is kept with its virtual second."""

    def __init__(self, seed: int = 0, lag_s: float = 0.0) -> None:
        self.scheduler = Scheduler(seed)
        self.store, self.topics = MetricStore(self.scheduler, lag_s), Topics(self.scheduler)
        self.invoked: list[tuple[float, str, dict[str, Any]]] = []
        self.emitted: list[tuple[float, str, str, dict[str, Any], list[str]]] = []
        self.alive = True
        self.alarms = Alarms(
            self.scheduler,
            self.store,
            invoke=lambda arn, event: self.invoked.append((self.scheduler.elapsed, arn, event)),
            publish=self.topics.publish,
            emit=lambda *event: self.emitted.append((self.scheduler.elapsed, *event)),
        )
        self.operations = {**self.store.operations, **self.alarms.operations}
        self.client: Any = fake_session({"cloudwatch": self}).client("cloudwatch")

    def beat(self, every_s: float, first_s: float, value: float = 1.0) -> None:
        """Publish `value` on a schedule while `alive`, straight into the store (quick)."""
        datum = {"MetricName": "Healthy", "Dimensions": DIMENSIONS, "Value": value, "StorageResolution": 1}

        def publish() -> None:
            if self.alive:
                self.store.put_metric_data({"Namespace": "picoha", "MetricData": [datum]})

        self.scheduler.every(every_s, publish, first_s=first_s)

    def die(self) -> None:
        self.alive = False

    def alarm(self, *parts: dict[str, Any], **more: Any) -> None:
        merged = dict(TWO_OF_THREE)
        for part in parts or (SINGLE,):
            merged |= part
        self.client.put_metric_alarm(**merged | more)

    def told(self, name: str = NAME) -> dict[str, Any]:
        (one,) = self.client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return dict(one)

    def states(self) -> list[str]:
        return [detail["state"]["value"] for _, _, _, detail, _ in self.emitted]
