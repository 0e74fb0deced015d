"""SNS in memory: topics, what is published to them, and the event that a subscriber gets.

Shapes: SNS developer guide, "Invoking Lambda functions".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, Operation
from picoha.fakeaws.cloudwatch.metrics import invalid, only_played
from picoha.fakeaws.cloudwatch.payloads import alarm_time
from picoha.fakeaws.scheduler import AwsFault, Scheduler


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

    def __init__(self, scheduler: Scheduler) -> None:
        self.published: list[Message] = []
        self.operations: Mapping[str, Operation] = {"Publish": self.publish}
        self._scheduler = scheduler
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
            raise AwsFault("NotFound", "Topic does not exist", 404)
        attributes = params.get("MessageAttributes", {})
        if not text:
            raise invalid("Invalid parameter: Empty message", "InvalidParameter")
        if len(text.encode()) + len(json.dumps(attributes, default=str)) - 2 > 262_144:
            raise invalid("Invalid parameter: Message too long", "InvalidParameter")
        if subject is not None and not _one_short_line(subject):
            raise invalid("Invalid parameter: Subject", "InvalidParameter")
        message_id = str(uuid.UUID(int=self._scheduler.random.getrandbits(128), version=4))
        message = Message(message_id, topic, subject, text, attributes, self._scheduler.now)
        self.published.append(message)
        for number, receive in enumerate(self._subscribers[topic]):
            receive(message.lambda_event(f"{topic}:{uuid.UUID(int=number)}"))
        return {"MessageId": message_id}


def _one_short_line(subject: str) -> bool:
    return 0 < len(subject) < 100 and subject.isascii() and subject.isprintable() and subject[0] != " "
