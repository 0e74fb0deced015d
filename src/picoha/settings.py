"""The environment, read once at start: whatever is wrong is found before the first failover, all at once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    ValidationError,
)

from picoha.app.errors import SettingsInvalid
from picoha.domain.policy import Policy

PREFIX = "PICOHA_"
TICK = timedelta(minutes=1)  # AWS user guide, EventBridge schedules: one minute is the finest rate

_POLICY_TYPES = get_type_hints(Policy)
_POLICY_FIELDS = {
    f"{PREFIX}{field.name.upper()}": field
    for field in dataclasses.fields(Policy)
    if _POLICY_TYPES[field.name] in (int, timedelta)
}


@dataclasses.dataclass(frozen=True)
class _Problem:
    """One wrong variable: its name, the value found (None = not set) and the rule it breaks."""

    name: str
    value: str | None
    rule: str

    def __str__(self) -> str:
        found = "not set" if self.value is None else repr(self.value[:100])
        return f"{self.name} = {found}: {self.rule}"


def _refuse(problems: Iterable[_Problem]) -> SettingsInvalid:
    return SettingsInvalid("reading settings from the environment: " + "; ".join(map(str, problems)))


def _whole_number(value: object) -> object:
    """Return text such as `50` as an int; "1_0", "5.0", " 5" and "five" are refused rather than guessed."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise ValueError("must be a whole number")
    return int(value)


Whole = Annotated[int, BeforeValidator(_whole_number)]


def _text(pattern: str) -> StringConstraints:
    return StringConstraints(strict=True, pattern=pattern)


class Settings(BaseModel):
    """What one deployed function needs to know; `_s` fields are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: Annotated[str, _text(r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$")]
    cell: Annotated[str, _text(r"^[a-z][a-z0-9-]{0,23}$")]
    # AWS API reference, DynamoDB CreateTable.
    table: Annotated[str, _text(r"^[A-Za-z0-9_.-]{3,255}$")]
    # AWS API reference, SNS CreateTopic.
    topic_arn: (
        Annotated[str, _text(r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$")] | None
    ) = None
    # The function ends after 75 s: a drive of at most 60 s leaves room for the cold start and the answer.
    drive_s: Annotated[Whole, Field(ge=1, le=60)] = 50
    policy: InstanceOf[Policy] = Policy()

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings in `environ`.

        Read are `AWS_REGION` (set by Lambda), `PICOHA_CELL`, `_TABLE` (default `picoha-<cell>`),
        `_TOPIC_ARN`, `_DRIVE_S` and the numbers of `policy_from`. An empty value counts as not
        set, because a template passes it for "use the default". Raises `SettingsInvalid`, whose text has
        every wrong variable with its value and rule; a `PICOHA_` variable nobody reads is wrong too.
        """
        given = _given(environ)
        numbers, problems = _policy_numbers(given)
        problems += _unread(given)
        fields: dict[str, object] = {
            field: given[name] for field, name in _VARIABLES.items() if name in given
        }
        fields.setdefault("table", f"picoha-{fields.get('cell', 'unnamed')}")
        try:
            settings = cls.model_validate({**fields, "policy": dataclasses.replace(Policy(), **numbers)})
        except ValidationError as refused:
            raise _refuse([*problems, *_refused_fields(refused, given)]) from None
        # Pairs are compared only when every number is right by itself: else they would judge defaults.
        problems = problems or list(_wrong_together(settings, given))
        if problems:
            raise _refuse(problems)
        return settings


_VARIABLES = {"region": "AWS_REGION"} | {
    field: f"{PREFIX}{field.upper()}" for field in Settings.model_fields if field not in ("region", "policy")
}


def policy_from(environ: Mapping[str, str]) -> Policy:
    """Return the policy with the numbers in `environ` in place of the defaults.

    Each field of `Policy` is a variable `PICOHA_<FIELD>`: a whole number, durations in seconds, bounds from
    the field's metadata. Raises `SettingsInvalid` with every wrong variable.
    """
    numbers, problems = _policy_numbers(_given(environ))
    if problems:
        raise _refuse(problems)
    return dataclasses.replace(Policy(), **numbers)


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if value}


def _policy_numbers(given: Mapping[str, str]) -> tuple[dict[str, Any], list[_Problem]]:
    numbers: dict[str, Any] = {}
    problems: list[_Problem] = []
    for name, field in _POLICY_FIELDS.items():
        if name not in given:
            continue
        is_duration = _POLICY_TYPES[field.name] is timedelta
        least, most = field.metadata["min"], field.metadata["max"]
        try:
            number = _whole_number(given[name])
        except ValueError:
            number = None
        if isinstance(number, int) and least <= number <= most:
            numbers[field.name] = timedelta(seconds=number) if is_duration else number
        else:
            rule = f"must be a whole number{' of seconds' if is_duration else ''} from {least} to {most}"
            problems.append(_Problem(name, given[name], rule))
    return numbers, problems


def _unread(given: Mapping[str, str]) -> Iterator[_Problem]:
    read = {*_POLICY_FIELDS, *_VARIABLES.values()}
    for name in sorted(given):
        if name.startswith(PREFIX) and name not in read:
            yield _Problem(name, given[name], "is not a setting of picoha")


def _refused_fields(refused: ValidationError, given: Mapping[str, str]) -> Iterator[_Problem]:
    for error in refused.errors(include_url=False):
        name = _VARIABLES[str(error["loc"][0])]
        if name == "PICOHA_TABLE" and name not in given:
            continue  # follows from the cell, which has its own line
        rule = "must be set" if error["type"] == "missing" else error["msg"]
        yield _Problem(name, given.get(name), rule)


@dataclasses.dataclass(frozen=True)
class _Pair:
    """Numbers that are each in range and can still be wrong together."""

    names: tuple[str, ...]
    rule: str
    holds: Callable[[Settings], bool]


def _stronger_evidence_is_faster(settings: Settings) -> bool:
    policy = settings.policy
    waits = [policy.silent_impaired_after, policy.silent_unreachable_after, policy.silent_after]
    return waits == sorted(waits) and policy.silent_after <= policy.silent_alone_after


_PAIRS = (
    _Pair(
        (
            "PICOHA_SILENT_IMPAIRED_AFTER",
            "PICOHA_SILENT_UNREACHABLE_AFTER",
            "PICOHA_SILENT_AFTER",
            "PICOHA_SILENT_ALONE_AFTER",
        ),
        "must rise in this order: weaker evidence is never confirmed earlier than stronger evidence",
        _stronger_evidence_is_faster,
    ),
    _Pair(
        ("PICOHA_FRESH_WITHIN", "PICOHA_SILENT_IMPAIRED_AFTER"),
        "a sign cannot be fresh for longer than the shortest silence that confirms a loss",
        lambda one: one.policy.fresh_within <= one.policy.silent_impaired_after,
    ),
    _Pair(
        ("PICOHA_BRAKE_HOUR", "PICOHA_BRAKE_DAY"),
        "a day must allow at least as many failovers as an hour",
        lambda one: one.policy.brake_hour <= one.policy.brake_day,
    ),
    _Pair(
        ("PICOHA_FORCE_FENCE_AFTER", "PICOHA_FENCE_DEADLINE"),
        "a fence must be forced before its deadline",
        lambda one: one.policy.force_fence_after < one.policy.fence_deadline,
    ),
    _Pair(
        ("PICOHA_HOOK_HEARTBEAT", "PICOHA_DRIVE_S"),
        "half a heartbeat must outlast a tick and a drive: else a held launch ends between two looks",
        lambda one: one.policy.hook_heartbeat / 2 > TICK + timedelta(seconds=one.drive_s),
    ),
)


def _wrong_together(settings: Settings, given: Mapping[str, str]) -> Iterator[_Problem]:
    for pair in _PAIRS:
        if not pair.holds(settings):
            for name in pair.names:
                if name in given:
                    yield _Problem(name, given[name], f"{pair.rule} ({', '.join(pair.names)})")
