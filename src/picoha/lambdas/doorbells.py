"""Reads what rings: `parse(event)` turns any documented AWS event into a `Wakeup` or says why it is none.

An event means *look now*. Nothing in it reaches a decision: a wakeup is for the log (design.md 2.1).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from picoha.app.errors import MalformedEvent, UnknownEvent
from picoha.lambdas.doorbell_models import (
    ActivityDetail,
    AlarmData,
    DirectAlarm,
    Envelope,
    HealthDetail,
    Inbound,
    Lifecycle,
    SnsAlarm,
    SnsRecord,
    SpotInterruption,
    StateChange,
)

Part = TypeVar("Part", bound=Inbound)

LONGEST_SHOWN = 100  # characters of a foreign value in one of our sentences
LARGEST_SHOWN = 10**18  # Python refuses to print integers past its digit limit


class Cause(StrEnum):
    """What kind of doorbell rang; `operator` is rung by the operator function, not by an AWS event."""

    ALARM = "alarm"
    LIFECYCLE = "lifecycle"
    INSTANCE = "instance"
    HEALTH = "health"
    TICK = "tick"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Wakeup:
    """One ring of a doorbell, for the log only; `occurred_at` is UTC, None when AWS's time is unreadable."""

    cause: Cause
    detail: str
    event_id: str | None = None
    occurred_at: datetime | None = None
    subjects: tuple[str, ...] = ()


def parse(event: object) -> Wakeup:
    """Return the wakeup that `event` stands for.

    Raises `UnknownEvent` for an event that is not one of picoha's doorbells and `MalformedEvent` for one
    that is but lacks a field picoha needs; never anything else.
    """
    if not isinstance(event, dict):
        raise MalformedEvent(f"event: {shown(event)} must be a JSON object")
    if "Records" in event:
        return _from_sns(event["Records"])
    if "alarmData" in event:
        return _from_direct_alarm(_read(DirectAlarm, event, "event"))
    if "detail-type" in event:
        return _from_eventbridge(_read(Envelope, event, "event"))
    keys = ", ".join(shown(key) for key in list(event)[:5]) or "none"
    raise UnknownEvent(f"event: its keys are {keys}; a doorbell has Records, alarmData or detail-type")


def shown(value: object) -> str:
    """Return `value` as one printable line of at most 100 characters; containers by their kind only."""
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return "an array"
        case str():
            text = repr(value[: LONGEST_SHOWN + 1])
        case None | bool() | float():
            text = repr(value)
        case int() if -LARGEST_SHOWN < value < LARGEST_SHOWN:
            text = repr(value)
        case _:
            text = f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def _read(model: type[Part], value: object, where: str) -> Part:
    try:
        return model.model_validate(value)
    except ValidationError as refused:
        first = refused.errors(include_url=False)[0]
        path = ".".join((where, *(str(step)[:40] for step in first["loc"])))
        found = "missing" if first["type"] == "missing" else shown(first["input"])
        raise MalformedEvent(f"{path}: {found}; rule: {first['msg']}") from None


def _json(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


# Alarms


def _from_direct_alarm(direct: DirectAlarm) -> Wakeup:
    return _alarm_wakeup(direct.alarm, event_id=None, envelope_time=direct.time)


def _alarm_wakeup(alarm: AlarmData, event_id: str | None, envelope_time: datetime | None) -> Wakeup:
    changed_at = alarm.state.timestamp or envelope_time
    previous = alarm.previous.value if alarm.previous else None
    detail = f"alarm {alarm.name} ({alarm.form}) {_change(previous, alarm.state.value)}"
    if alarm.mute is not None:
        detail += f", muted by {alarm.mute.muted_by or 'a mute rule'}"
    if alarm.state.suppressed_by:
        detail += f", its actions suppressed by {alarm.state.suppressed_by}"
    # A direct invocation has no event id; name and time of the change tell two rings apart.
    stamp = changed_at.isoformat(timespec="milliseconds") if changed_at else None
    identity = event_id or (f"{alarm.name}@{stamp}" if stamp else None)
    return Wakeup(Cause.ALARM, detail, identity, changed_at, (alarm.name,))


def _change(previous: str | None, now: str) -> str:
    return f"went {previous} -> {now}" if previous else f"is {now}"


def _from_sns(records: object) -> Wakeup:
    """Ring once for a delivery, if any of its records is an alarm; SNS itself sends one record at a time."""
    if not isinstance(records, list) or not records:
        raise MalformedEvent(f"event.Records: {shown(records)} must be an array with at least one record")
    rings: list[Wakeup] = []
    problems: list[UnknownEvent | MalformedEvent] = []
    for position, record in enumerate(records):
        try:
            rings.append(_from_sns_record(record, f"event.Records.{position}"))
        except (UnknownEvent, MalformedEvent) as problem:
            problems.append(problem)
    if not rings:
        raise problems[0]
    first, others = rings[0], len(records) - 1
    detail = f"{first.detail}, with {others} more in the same delivery" if others else first.detail
    if problems:
        detail += f" ({len(problems)} ignored, first: {problems[0]})"
    subjects = tuple(dict.fromkeys(subject for ring in rings for subject in ring.subjects))
    return replace(first, detail=detail, subjects=subjects)


def _from_sns_record(record: object, where: str) -> Wakeup:
    sender = record.get("EventSource") if isinstance(record, dict) else record
    if sender != "aws:sns":
        raise UnknownEvent(f"{where}.EventSource: {shown(sender)}; only records from aws:sns ring")
    sns = _read(SnsRecord, record, where).sns
    message = _json(sns.message)
    if not isinstance(message, dict) or "AlarmName" not in message:
        raise UnknownEvent(f"{where}.Sns.Message: {shown(sns.message)} is not an alarm notification")
    alarm = _read(SnsAlarm, message, f"{where}.Sns.Message")
    detail = f"alarm {alarm.name} (through SNS) {_change(alarm.previous, alarm.value)}"
    return Wakeup(Cause.ALARM, detail, sns.id, alarm.changed_at or sns.time, (alarm.name,))


# EventBridge


def _detail(model: type[Part], envelope: Envelope) -> Part:
    detail = envelope.detail
    return _read(model, _json(detail) if isinstance(detail, str) else detail, "event.detail")


def _ring(envelope: Envelope, cause: Cause, detail: str, *subjects: str | None) -> Wakeup:
    named = tuple(subject for subject in subjects if subject)
    return Wakeup(cause, detail, envelope.id, envelope.time, named)


def _alarm_change(envelope: Envelope) -> Wakeup:
    return _alarm_wakeup(_detail(AlarmData, envelope), envelope.id, envelope.time)


def _lifecycle_action(envelope: Envelope) -> Wakeup:
    seen = _detail(Lifecycle, envelope)
    verb = "launching" if "launch" in envelope.detail_type else "terminating"
    detail = f"{seen.instance} of {seen.scaling_group} waits in hook {seen.hook} while {verb}"
    if seen.origin and seen.destination:
        detail += f", from {seen.origin} to {seen.destination}"
    return _ring(envelope, Cause.LIFECYCLE, detail, seen.scaling_group, seen.instance)


def _scaling_activity(envelope: Envelope) -> Wakeup:
    seen = _detail(ActivityDetail, envelope)
    # StatusCode is left alone: AWS sends "InProgress" with successful launches and terminations.
    detail = f"{seen.scaling_group}: {envelope.detail_type} {seen.instance or 'without an instance'}"
    if seen.cause:
        detail += f", because {seen.cause}"
    return _ring(envelope, Cause.INSTANCE, detail, seen.scaling_group, seen.instance)


def _state_change(envelope: Envelope) -> Wakeup:
    seen = _detail(StateChange, envelope)
    return _ring(envelope, Cause.INSTANCE, f"{seen.instance} is {seen.state}", seen.instance)


def _spot_interruption(envelope: Envelope) -> Wakeup:
    seen = _detail(SpotInterruption, envelope)
    detail = f"EC2 takes back Spot instance {seen.instance}: {seen.action}"
    return _ring(envelope, Cause.INSTANCE, detail, seen.instance)


def _health_event(envelope: Envelope) -> Wakeup:
    seen = _detail(HealthDetail, envelope)
    starts = f", starts {seen.starts_at.isoformat()}" if seen.starts_at else ""
    detail = f"{seen.code} is {seen.status or 'announced'}{starts}"
    return _ring(envelope, Cause.HEALTH, detail, *seen.entities)


def _tick(envelope: Envelope) -> Wakeup:
    """Ring whatever the detail is: a rule sends `{}`, EventBridge Scheduler sends the string "{}"."""
    return _ring(envelope, Cause.TICK, "the schedule says look")


_PARSERS: dict[tuple[str, str], Callable[[Envelope], Wakeup]] = {
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): _alarm_change,
    ("aws.cloudwatch", "CloudWatch Alarm Contributor State Change"): _alarm_change,
    ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action"): _lifecycle_action,
    ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"): _lifecycle_action,
    ("aws.autoscaling", "EC2 Instance Launch Successful"): _scaling_activity,
    ("aws.autoscaling", "EC2 Instance Launch Unsuccessful"): _scaling_activity,
    ("aws.autoscaling", "EC2 Instance Terminate Successful"): _scaling_activity,
    ("aws.autoscaling", "EC2 Instance Terminate Unsuccessful"): _scaling_activity,
    ("aws.ec2", "EC2 Instance State-change Notification"): _state_change,
    ("aws.ec2", "EC2 Spot Instance Interruption Warning"): _spot_interruption,
    ("aws.health", "AWS Health Event"): _health_event,
    ("aws.events", "Scheduled Event"): _tick,
    ("aws.scheduler", "Scheduled Event"): _tick,
}


def _from_eventbridge(envelope: Envelope) -> Wakeup:
    parser = _PARSERS.get((envelope.source, envelope.detail_type))
    if parser is None:
        pair = f"{shown(envelope.detail_type)} from {shown(envelope.source)}"
        raise UnknownEvent(f"event.detail-type: {pair} is not one of picoha's doorbells")
    return parser(envelope)
