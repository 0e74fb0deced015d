"""Messages as SNS takes them, and the controller's own metric as the canary reads it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.notifier import AwsNotifier
from picoha.app.errors import ActionFailed
from picoha.domain.model import Sample, SlotName
from picoha.domain.record import Notice
from picoha.drills.clock import DrillClock
from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.scheduler import START
from picoha.fakeaws.sns import Topics
from unit.adapters.aws.aws_rig import Account, denied


class Told:
    """One topic, and a notifier that publishes to it."""

    def __init__(self) -> None:
        self.account = Account()
        self.topics = Topics(self.account.scheduler)
        services = self.account.services | {"sns": self.topics}
        self.arn = self.topics.create("picoha-demo")
        clients = Clients(fake_session(services, self.account.gate))
        self.notifier = AwsNotifier("demo", self.arn, clients, DrillClock(self.account.scheduler))

    def publish(self, subject: str, text: str = "text", severity: str = "page") -> Any:
        self.notifier.publish(Notice("ec1-7", START, severity, subject, text))
        return self.topics.published[-1]


def test_a_message_carries_text_subject_severity_and_its_id() -> None:
    told = Told()
    message = told.publish("ENFORCE page: demo/ec1", "ENFORCE demo/ec1: look – now")
    assert (message.subject, message.message) == ("ENFORCE page: demo/ec1", "ENFORCE demo/ec1: look – now")
    assert told.account.gate.params("Publish")[0]["TopicArn"] == told.arn
    told_by = {name: one["StringValue"] for name, one in message.attributes.items()}
    assert told_by == {"severity": "page", "notice": "ec1-7", "cell": "demo"}


def test_attributes_tell_machines_which_slot_event_operation_and_rule() -> None:
    told = Told()
    told.notifier.publish(
        Notice("ec1-7", START, "info", "x", "x", SlotName("ec1"), "granted", "ec1-1-2", 341)
    )
    told_by = told.topics.published[-1].attributes
    assert {name: (one["DataType"], one["StringValue"]) for name, one in told_by.items()} == {
        "severity": ("String", "info"),
        "notice": ("String", "ec1-7"),
        "cell": ("String", "demo"),
        "slot": ("String", "ec1"),
        "event": ("String", "granted"),
        "operation": ("String", "ec1-1-2"),
        "rule": ("Number", "341"),
    }


@pytest.mark.parametrize(
    ("subject", "sent"),
    [("Münze – ec1", "M?nze ? ec1"), ("x" * 99, "x" * 99), ("x" * 100, "x" * 99), ("é" * 200, "?" * 99)],
)
def test_a_subject_is_cut_to_what_sns_takes(subject: str, sent: str) -> None:
    assert Told().publish(subject).subject == sent


def test_a_refusal_is_told_with_the_message_it_was_about() -> None:
    told = Told()
    told.account.gate.refused["Publish"] = denied("sns:Publish")
    with pytest.raises(ActionFailed, match="publishing ec1-7: UnauthorizedOperation") as refused:
        told.publish("x")
    assert refused.value.outcome_known
    assert told.topics.published == []


def test_an_answer_that_is_lost_leaves_it_open_whether_the_message_went_out() -> None:
    told = Told()
    told.account.gate.lost["Publish"] = ReadTimeoutError(endpoint_url="https://aws")
    with pytest.raises(ActionFailed) as lost:
        told.publish("x")
    assert not lost.value.outcome_known
    assert len(told.topics.published) == 1


def test_the_tick_is_read_back_as_the_canary_does() -> None:
    told = Told()
    told.account.scheduler.run_for(60)
    told.notifier.beat()
    told.account.scheduler.run_for(5)
    assert told.account.sensors.newest_samples([]) == {"*": Sample(START + timedelta(seconds=60), 1.0)}


def test_a_tick_that_cannot_be_published_is_told() -> None:
    told = Told()
    told.account.gate.refused["PutMetricData"] = denied("cloudwatch:PutMetricData")
    with pytest.raises(ActionFailed, match="publishing the tick: UnauthorizedOperation"):
        told.notifier.beat()
