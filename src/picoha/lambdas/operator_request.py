"""Reads a command sent to the operator function: every wrong argument is told, and none is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from picoha.app.errors import MalformedEvent
from picoha.app.operator.answer import Command
from picoha.domain.model import InstanceId, SlotName
from picoha.domain.record import Mode

Part = TypeVar("Part", bound=BaseModel)

SCHEMA = 1
DAY = 86_400
NAME = r"^[a-z][a-z0-9]{0,23}$"


def _text(pattern: str) -> StringConstraints:
    return StringConstraints(strict=True, pattern=pattern)


class Args(BaseModel):
    """Every argument that any command takes; `for_s` and `since_s` are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slot: Annotated[str, _text(NAME)] | None = None
    # AWS: EC2 resource ids have 8 or 17 hexadecimal digits.
    instance: Annotated[str, _text(r"^i-([0-9a-f]{8}|[0-9a-f]{17})$")] | None = None
    operation: Annotated[str, _text(r"^[a-z][a-z0-9]{0,23}-[0-9]{1,9}-[0-9]{1,9}$")] | None = None
    mode: Mode | None = None
    plan: Literal["failover", "switchover"] | None = None
    request: Annotated[str, _text(r"^[a-zA-Z0-9-]{1,64}$")] | None = None
    for_s: Annotated[int, Field(strict=True, ge=60, le=DAY)] | None = None
    since_s: Annotated[int, Field(strict=True, ge=60, le=400 * DAY)] | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None


class RequestEnvelope(BaseModel):
    """What is sent: a verb with its arguments, and for a change why and by whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal[1] = Field(alias="schema")
    verb: Annotated[str, _text(r"^[a-z][a-z-]{0,31}$")]
    args: dict[str, Any] = {}
    reason: Annotated[str, StringConstraints(strict=True, strip_whitespace=True, max_length=400)] = ""
    by: Annotated[str, StringConstraints(strict=True, strip_whitespace=True, max_length=100)] = ""


TAKES: Mapping[str, tuple[str, ...]] = {
    "status": (),
    "why": ("slot",),
    "history": ("slot?", "since_s?", "limit?"),
    "show": ("operation",),
    "plan": ("plan", "slot"),
    "report": ("since_s?",),
    "verify": ("since_s?",),
    "doctor": (),
    "leave": (),
    "follow": ("request", "slot?"),
    "adopt": ("slot", "instance"),
    "switchover": ("slot",),
    "failover": ("slot",),
    "confirm-fenced": ("instance",),
    "retry": ("operation",),
    "abort": ("operation",),
    "mode": ("mode",),
    "pause": ("slot?", "for_s?"),
    "resume": ("slot?",),
    "release-storm": ("for_s?",),
    "close-breaker": (),
}
"""Each verb with the arguments it takes; `?` may be left out."""
LOOKS = frozenset(
    ["status", "why", "history", "show", "plan", "report", "verify", "doctor", "leave", "follow"],
)
"""Verbs that change nothing and need no reason."""


def read_command(event: object, request_id: str) -> Command:
    """Return the command in an event; raises MalformedEvent naming the argument, the value and the rule."""
    envelope = _validated(RequestEnvelope, event, "request")
    if envelope.verb not in TAKES:
        raise MalformedEvent(f"request.verb: no command {envelope.verb!r}; known: {', '.join(TAKES)}")
    args = _validated(Args, envelope.args, "args")
    _agree(envelope, args)
    span_s = args.for_s or args.since_s
    return Command(
        verb=envelope.verb,
        id=args.request or request_id,
        slot=SlotName(args.slot) if args.slot else None,
        instance=InstanceId(args.instance) if args.instance else None,
        operation=args.operation or "",
        to=args.mode or args.plan or "",
        span=timedelta(seconds=span_s) if span_s else None,
        limit=args.limit or 50,
        reason=envelope.reason,
        by=envelope.by,
    )


def _agree(envelope: RequestEnvelope, args: Args) -> None:
    """Refuse what this verb does not take, and what it needs and was not given."""
    takes = TAKES[envelope.verb]
    given = {name for name, value in args.model_dump().items() if value is not None}
    if more := sorted(given - {take.rstrip("?") for take in takes}):
        raise MalformedEvent(f"{envelope.verb} takes no {', '.join(more)}")
    if less := [take for take in takes if not take.endswith("?") and take not in given]:
        raise MalformedEvent(f"{envelope.verb} needs {', '.join(less)}")
    if envelope.verb in LOOKS:
        return
    for name, value in (("reason", envelope.reason), ("by", envelope.by)):
        if len(value) < 2 or not value.isprintable():
            raise MalformedEvent(
                f"{envelope.verb} needs {name}: {value!r} must be one line of 2 or more characters"
            )


def _validated(model: type[Part], value: object, where: str) -> Part:
    try:
        return model.model_validate(value)
    except ValidationError as refused:
        first = refused.errors(include_url=False)[0]
        path = ".".join((where, *(str(step)[:40] for step in first["loc"])))
        found = "missing" if first["type"] == "missing" else repr(first["input"])[:100]
        raise MalformedEvent(f"{path}: {found}; rule: {first['msg']}") from None
