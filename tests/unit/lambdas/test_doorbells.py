"""`parse` turns every documented event into the wakeup an operator would expect in the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from picoha.lambdas.doorbell_models import read_time
from picoha.lambdas.doorbells import Cause, parse

EVENTS = Path(__file__).parents[3] / "events"
VICTIM, EC, NEXT = "i-00000000000000001", "i-00000000000000002", "i-00000000000000004"
PLATFORM = "picoha-demo-platform1"
AN_ALARM_WENT = f"alarm {PLATFORM} (metric math) went OK -> ALARM"

# file → cause, sentence in the log, subjects
EXPECTED: dict[str, tuple[Cause, str, tuple[str, ...]]] = {
    "alarm-platform": (Cause.ALARM, AN_ALARM_WENT, (PLATFORM,)),
    "alarm-ec": (
        Cause.ALARM,
        "alarm picoha-demo-ec1 (metric math) went OK -> ALARM",
        ("picoha-demo-ec1",),
    ),
    "alarm-single-metric": (
        Cause.ALARM,
        f"alarm {PLATFORM} (single metric) went OK -> ALARM",
        (PLATFORM,),
    ),
    "alarm-composite": (
        Cause.ALARM,
        "alarm picoha-demo-any (composite) went ALARM -> ALARM",
        ("picoha-demo-any",),
    ),
    "alarm-contributor": (
        Cause.ALARM,
        "alarm picoha-demo-fleet (contributor Slot=platform1) is ALARM",
        ("picoha-demo-fleet",),
    ),
    "alarm-through-sns": (Cause.ALARM, f"alarm {PLATFORM} (through SNS) went OK -> ALARM", (PLATFORM,)),
    "alarm-through-eventbridge": (Cause.ALARM, AN_ALARM_WENT, (PLATFORM,)),
    "alarm-through-eventbridge-muted": (
        Cause.ALARM,
        f"{AN_ALARM_WENT}, muted by arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:demo-works",
        (PLATFORM,),
    ),
    "alarm-through-eventbridge-composite": (
        Cause.ALARM,
        "alarm picoha-demo-any (composite) went OK -> ALARM, its actions suppressed by WaitPeriod",
        ("picoha-demo-any",),
    ),
    "alarm-through-eventbridge-contributor": (
        Cause.ALARM,
        "alarm picoha-demo-fleet (contributor Slot=platform1) is ALARM",
        ("picoha-demo-fleet",),
    ),
    "asg-launch-lifecycle": (
        Cause.LIFECYCLE,
        f"{NEXT} of demo-platform1 waits in hook picoha-launch while launching, from EC2 to AutoScalingGroup",
        ("demo-platform1", NEXT),
    ),
    "asg-terminate-lifecycle": (
        Cause.LIFECYCLE,
        f"{VICTIM} of demo-platform1 waits in hook demo-drain while terminating",
        ("demo-platform1", VICTIM),
    ),
    "asg-launch-successful": (
        Cause.INSTANCE,
        f"demo-platform1: EC2 Instance Launch Successful {NEXT}",
        ("demo-platform1", NEXT),
    ),
    "asg-launch-unsuccessful": (
        Cause.INSTANCE,
        f"demo-platform1: EC2 Instance Launch Unsuccessful {NEXT}, because We currently do not have "
        "sufficient m6i.large capacity in the Availability Zone you requested (eu-west-1b).",
        ("demo-platform1", NEXT),
    ),
    "asg-terminate-successful": (
        Cause.INSTANCE,
        f"demo-platform1: EC2 Instance Terminate Successful {VICTIM}",
        ("demo-platform1", VICTIM),
    ),
    "asg-terminate-unsuccessful": (
        Cause.INSTANCE,
        f"demo-platform1: EC2 Instance Terminate Unsuccessful {VICTIM}, because The instance '{VICTIM}' "
        "may not be terminated.",
        ("demo-platform1", VICTIM),
    ),
    "ec2-state-change": (Cause.INSTANCE, f"{VICTIM} is shutting-down", (VICTIM,)),
    "spot-interruption": (Cause.INSTANCE, f"EC2 takes back Spot instance {EC}: terminate", (EC,)),
    "health-retirement": (
        Cause.HEALTH,
        "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED is upcoming, starts 2026-12-06T12:00:00+00:00",
        (VICTIM,),
    ),
    "tick-rule": (Cause.TICK, "the schedule says look", ()),
    "tick-scheduler": (Cause.TICK, "the schedule says look", ()),
}


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def without(event: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = event
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return event


def test_every_event_file_is_expected_here_and_described_in_the_readme() -> None:
    files = {path.stem for path in EVENTS.glob("*.json")}
    assert files == set(EXPECTED)
    readme = (EVENTS / "README.md").read_text()
    assert [name for name in sorted(files) if f"| `{name}.json` |" not in readme] == []


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_event_file_rings_with_cause_sentence_and_subjects(name: str) -> None:
    wakeup = parse(load(name))
    assert (wakeup.cause, wakeup.detail, wakeup.subjects) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_event_file_has_an_id_and_a_utc_time_of_the_demo(name: str) -> None:
    wakeup = parse(load(name))
    assert wakeup.event_id
    assert wakeup.occurred_at is not None
    assert wakeup.occurred_at.tzinfo is UTC
    assert datetime(2026, 11, 22, 12, 0, tzinfo=UTC) <= wakeup.occurred_at
    assert wakeup.occurred_at < datetime(2026, 11, 22, 12, 10, tzinfo=UTC)


def test_event_files_through_eventbridge_have_ids_of_their_own() -> None:
    ids = [event["id"] for event in map(load, EXPECTED) if "id" in event]
    assert len(ids) == len(set(ids)) == 15


def test_direct_alarm_is_told_apart_by_name_and_time_of_the_change() -> None:
    assert parse(load("alarm-platform")).event_id == f"{PLATFORM}@2026-11-22T12:00:27.123+00:00"


def test_alarm_time_is_the_change_not_the_delivery() -> None:
    event = load("alarm-through-eventbridge")
    event["time"] = "2026-11-22T12:09:00Z"
    assert parse(event).occurred_at == datetime(2026, 11, 22, 12, 0, 27, 123000, tzinfo=UTC)


def test_alarm_without_state_timestamp_takes_the_envelope_time() -> None:
    event = without(load("alarm-through-eventbridge"), "detail", "state", "timestamp")
    assert parse(event).occurred_at == datetime(2026, 11, 22, 12, 0, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T12:00:27.123+0000", datetime(2026, 11, 22, 12, 0, 27, 123000, tzinfo=UTC)),
        ("2026-11-22T12:00:27Z", datetime(2026, 11, 22, 12, 0, 27, tzinfo=UTC)),
        ("2026-11-22T13:00:27+01:00", datetime(2026, 11, 22, 12, 0, 27, tzinfo=UTC)),
        ("Sun, 22 Nov 2026 12:00:27 GMT", datetime(2026, 11, 22, 12, 0, 27, tzinfo=UTC)),
        ("2026-11-22T12:00:27", None),
        ("2026-13-22T12:00:27Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (1795348827, None),
        (None, None),
    ],
)
def test_time_is_read_in_each_form_of_aws_and_none_when_unreadable(
    text: object, moment: datetime | None
) -> None:
    assert read_time(text) == moment


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("alarm-platform", ("alarmData", "previousState")),
        ("alarm-platform", ("alarmData", "configuration")),
        ("alarm-platform", ("alarmData", "state", "reasonData")),
        ("alarm-platform", ("alarmArn",)),
        ("alarm-through-eventbridge", ("id",)),
        ("alarm-through-eventbridge", ("resources",)),
        ("alarm-through-eventbridge-muted", ("detail", "muteDetail", "mutedByArn")),
        ("asg-launch-lifecycle", ("detail", "Origin")),
        ("asg-launch-lifecycle", ("detail", "NotificationMetadata")),
        ("asg-launch-unsuccessful", ("detail", "EC2InstanceId")),
        ("health-retirement", ("detail", "affectedEntities")),
        ("health-retirement", ("detail", "startTime")),
        ("tick-rule", ("detail",)),
        ("tick-rule", ("time",)),
    ],
)
def test_event_still_rings_without_a_field_nobody_needs(name: str, path: tuple[str, ...]) -> None:
    assert parse(without(load(name), *path)).cause is EXPECTED[name][0]


def test_event_still_rings_with_fields_aws_may_add() -> None:
    event = load("alarm-platform")
    event["alarmData"]["alarmTags"] = {"picoha:slot": "platform1"}
    event["alarmData"]["alarmTagsStatus"] = "COMPLETE"
    assert parse(event).detail == AN_ALARM_WENT


def test_failed_launch_with_empty_instance_id_rings_without_an_instance() -> None:
    event = load("asg-launch-unsuccessful")
    event["detail"] |= {"EC2InstanceId": "", "StatusMessage": ""}
    wakeup = parse(event)
    assert wakeup.detail == "demo-platform1: EC2 Instance Launch Unsuccessful without an instance"
    assert wakeup.subjects == ("demo-platform1",)


def test_health_entity_is_named_whether_id_or_arn() -> None:
    event = load("health-retirement")
    event["detail"]["affectedEntities"].append({"entityValue": EC})
    assert parse(event).subjects == (VICTIM, EC)


def test_tick_rings_whatever_its_detail_is() -> None:
    details: tuple[object, ...] = ("not json", [], None, {"a": 1})
    for detail in details:
        assert parse(load("tick-scheduler") | {"detail": detail}).cause is Cause.TICK


def test_detail_as_json_text_is_read_as_the_object_it_is() -> None:
    event = load("ec2-state-change")
    assert parse(event | {"detail": json.dumps(event["detail"])}) == parse(event)
