"""What AWS sends, as far as picoha reads it: needed fields are strict, hints lenient, the rest ignored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

LONGEST_NAME = 255  # AWS API reference: the limit for the names of alarms, groups and lifecycle hooks


def read_time(value: object) -> datetime | None:
    """Return the aware UTC time in `value`, or None when it cannot be read.

    AWS writes three forms: `2026-11-22T12:00:27.123+0000` in alarms, `2026-11-22T12:00:27Z` in the
    EventBridge envelope and `Thu, 10 Dec 2026 12:00:00 GMT` in Health events. A time without an offset
    is not read: it names no instant.
    """
    if not isinstance(value, str):
        return None
    try:
        if value.endswith(" GMT"):
            return datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        moment = datetime.fromisoformat(value)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _hint(value: object) -> str | None:
    """Return printable text, cut to a name's length, and anything else as None: a hint spoils no doorbell."""
    return value[:LONGEST_NAME] if isinstance(value, str) and value and value.isprintable() else None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


def _part(value: object) -> object:
    return value if isinstance(value, dict) else None


def _entity_names(value: object) -> tuple[str, ...]:
    """Return the ids in a Health event's entities; AWS writes an id or an ARN that ends in `/id`."""
    entities = value if isinstance(value, list) else []
    names = (_hint(entity.get("entityValue")) for entity in entities if isinstance(entity, dict))
    return tuple(name.rpartition("/")[2] for name in names if name)


Name = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_NAME), AfterValidator(_printable)
]
InstanceText = Annotated[str, StringConstraints(strict=True, pattern=r"^i-([0-9a-f]{8}|[0-9a-f]{17})$")]
Hint = Annotated[str | None, BeforeValidator(_hint)]
Time = Annotated[datetime | None, BeforeValidator(read_time)]
Entities = Annotated[tuple[str, ...], BeforeValidator(_entity_names)]


class Inbound(BaseModel):
    """A part of an event; fields AWS adds later are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Envelope(Inbound):
    """The EventBridge envelope; `resources` is not asked for, because Health events may lack it."""

    source: Name
    detail_type: Name = Field(alias="detail-type")
    id: Hint = None
    time: Time = None
    detail: object = None


class AlarmState(Inbound):
    """An alarm's new state; `reasonData` is absent in contributor events and not needed."""

    value: Name
    timestamp: Time = None
    suppressed_by: Hint = Field(default=None, alias="actionsSuppressedBy")


class PreviousState(Inbound):
    """An alarm's state before; contributor events carry none."""

    value: Hint = None


class Contributor(Inbound):
    """The series that changed in a Metrics Insights or PromQL alarm."""

    attributes: Annotated[dict[object, object] | None, BeforeValidator(_part)] = None

    @property
    def label(self) -> str:
        """The attributes as `name=value`, readable ones only."""
        pairs = ((_hint(key), _hint(value)) for key, value in (self.attributes or {}).items())
        return " ".join(f"{key}={value}" for key, value in pairs if key and value)


class MuteDetail(Inbound):
    """The mute rule under which an alarm's own actions did not run (EventBridge form only)."""

    muted_by: Hint = Field(default=None, alias="mutedByArn")


class AlarmData(Inbound):
    """`alarmData` of a direct invocation and `detail` of an EventBridge alarm event are the same document."""

    name: Name = Field(alias="alarmName")
    state: AlarmState
    previous: Annotated[PreviousState | None, BeforeValidator(_part)] = Field(None, alias="previousState")
    contributor: Annotated[Contributor | None, BeforeValidator(_part)] = Field(None, alias="alarmContributor")
    mute: Annotated[MuteDetail | None, BeforeValidator(_part)] = Field(None, alias="muteDetail")
    configuration: object = None

    @property
    def form(self) -> str:
        """The kind of alarm in words: composite, contributor, metric math or single metric."""
        setup = self.configuration if isinstance(self.configuration, dict) else {}
        queries = setup.get("metrics")
        if "alarmRule" in setup:
            return "composite"
        if self.contributor is not None:
            return f"contributor {self.contributor.label}".rstrip()
        entries = queries if isinstance(queries, list) else []
        is_math = any(isinstance(entry, dict) and "expression" in entry for entry in entries)
        return "metric math" if is_math else "single metric"


class DirectAlarm(Inbound):
    """The document CloudWatch gives to a Lambda function that is an alarm's own action."""

    arn: Hint = Field(default=None, alias="alarmArn")
    time: Time = None
    alarm: AlarmData = Field(alias="alarmData")


class SnsNotification(Inbound):
    """One SNS message; SNS always sends the text of the message as a string."""

    id: Hint = Field(default=None, alias="MessageId")
    message: Annotated[str, StringConstraints(strict=True)] = Field(alias="Message")
    time: Time = Field(default=None, alias="Timestamp")


class SnsRecord(Inbound):
    """One record of an SNS delivery to Lambda."""

    sns: SnsNotification = Field(alias="Sns")


class SnsAlarm(Inbound):
    """The alarm document inside an SNS message, which spells its keys differently from the direct one."""

    name: Name = Field(alias="AlarmName")
    value: Name = Field(alias="NewStateValue")
    previous: Hint = Field(default=None, alias="OldStateValue")
    changed_at: Time = Field(default=None, alias="StateChangeTime")


class Lifecycle(Inbound):
    """An instance waiting in a lifecycle hook; only groups with a warm pool give origin and destination."""

    scaling_group: Name = Field(alias="AutoScalingGroupName")
    instance: InstanceText = Field(alias="EC2InstanceId")
    hook: Name = Field(alias="LifecycleHookName")
    origin: Hint = Field(default=None, alias="Origin")
    destination: Hint = Field(default=None, alias="Destination")


class ActivityDetail(Inbound):
    """A finished scaling activity; a launch that failed early has no instance id."""

    scaling_group: Name = Field(alias="AutoScalingGroupName")
    instance: Hint = Field(default=None, alias="EC2InstanceId")
    cause: Hint = Field(default=None, alias="StatusMessage")


class StateChange(Inbound):
    """A change of an EC2 instance's state."""

    instance: InstanceText = Field(alias="instance-id")
    state: Name


class SpotInterruption(Inbound):
    """EC2's warning, about two minutes ahead, that it takes a Spot instance back."""

    instance: InstanceText = Field(alias="instance-id")
    action: Name = Field(alias="instance-action")


class HealthDetail(Inbound):
    """An AWS Health event, such as the planned retirement of an instance."""

    code: Name = Field(alias="eventTypeCode")
    status: Hint = Field(default=None, alias="statusCode")
    starts_at: Time = Field(default=None, alias="startTime")
    entities: Entities = Field(default=(), alias="affectedEntities")
