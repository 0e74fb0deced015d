"""The controller's voice: messages to people, and its own heartbeat metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import changing
from picoha.adapters.aws.sensors import NAMESPACE
from picoha.app.ports import Clock
from picoha.domain.record import Notice

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

GRANTS: dict[str, frozenset[str]] = {
    "Notify": frozenset({"sns:Publish"}),
    "PublishTick": frozenset({"cloudwatch:PutMetricData"}),
}


class AwsNotifier:
    """Publishes to one topic; without a topic, messages are kept in the outbox (never lost)."""

    def __init__(self, cell: str, topic_arn: str, clients: Clients, clock: Clock) -> None:
        self._cell = cell
        self._topic_arn = topic_arn
        self._clients = clients
        self._clock = clock

    def publish(self, notice: Notice) -> None:
        """Send one message: text for people, attributes for the filter policies of machines.

        SNS subjects are ASCII, one line, under 100 characters; an attribute's value is never empty
        (SNS API reference, Publish).
        """
        subject = notice.subject.encode("ascii", "replace").decode()[:99]
        with changing(f"publishing {notice.id}"):
            self._clients.sns.publish(
                TopicArn=self._topic_arn,
                Subject=subject,
                Message=notice.text,
                MessageAttributes=self._attributes(notice),
            )

    def _attributes(self, notice: Notice) -> dict[str, MessageAttributeValueTypeDef]:
        told = {
            "severity": notice.severity,
            "notice": notice.id,
            "cell": self._cell,
            "slot": notice.slot or "",
            "event": notice.event,
            "operation": notice.operation,
            "rule": str(notice.rule or ""),
        }
        return {
            name: {"DataType": "Number" if name == "rule" else "String", "StringValue": value}
            for name, value in told.items()
            if value
        }

    def beat(self) -> None:
        """Publish `Tick`, which the canary reads back when no other holder reports."""
        with changing("publishing the tick"):
            self._clients.cloudwatch.put_metric_data(
                Namespace=NAMESPACE,
                MetricData=[
                    {
                        "MetricName": "Tick",
                        "Dimensions": [{"Name": "Cell", "Value": self._cell}],
                        "Timestamp": self._clock.now(),
                        "Value": 1.0,
                        "StorageResolution": 1,
                    }
                ],
            )
