"""What an operator does in a story: a request past the operator function, or a command through it."""

from __future__ import annotations

from collections.abc import Callable

from picoha.adapters.aws.items import CELL, body, item, top
from picoha.domain.codec import decode, encode
from picoha.domain.model import InstanceId, SlotName
from picoha.domain.record import Mode, ModeRecord, Request, RequestVerb
from picoha.drills.setup import Stage
from picoha.drills.story import Beat


def ask(stage: Stage, beat: Beat) -> None:
    """Write an operator's request: `name` is its verb; `to` its instance: an id, victim, holder, newest."""
    world = stage.world
    request = Request(
        id=f"story-{world.kernel.elapsed:.0f}",
        verb=RequestVerb(beat.name),
        slot=SlotName(beat.slot),
        by="story",
        reason="as the story says",
        at=world.kernel.now,
        instance=_instance(stage, beat),
    )
    world.admin.dynamodb.put_item(
        TableName=world.table.name, Item=item(CELL, f"REQ#{request.id}", encode(request))
    )
    world.tick()


def _instance(stage: Stage, beat: Beat) -> InstanceId | None:
    """Return what `to` names: the slot's victim, holder or newest living host, or an id as it is."""
    record = stage.world.records()[SlotName(beat.slot)]
    op = record.operation
    living = [one for one in stage.world.hosts.values() if one.slot == beat.slot and one.is_up]
    instances = {
        "victim": op.victim if op else None,
        "holder": record.holder,
        "newest": InstanceId(living[-1].instance.id) if living else None,
        "": None,
    }
    return instances[beat.to] if beat.to in instances else InstanceId(beat.to)


ARGUMENTS: dict[str, tuple[str, ...]] = {
    "status": (),
    "history": (),
    "verify": (),
    "doctor": (),
    "leave": (),
    "close-breaker": (),
    "release-storm": (),
    "mode": ("mode",),
    "pause": ("slot", "for_s"),
    "confirm-fenced": ("instance",),
    "adopt": ("slot", "instance"),
    "retry": ("operation",),
    "abort": ("operation",),
    "show": ("operation",),
}
"""What a command of the operator is given from its beat; the others take the slot."""


def command(stage: Stage, beat: Beat) -> None:
    """Send the command `name` to the operator function; its answer must hold `says` and end with `code`."""
    arguments: dict[str, Callable[[], object]] = {
        "slot": lambda: beat.slot or None,
        "for_s": lambda: int(beat.for_s) or None,
        "mode": lambda: beat.to,
        "instance": lambda: _instance(stage, beat),
        "operation": lambda: _operation(stage, beat),
    }
    given = {name: arguments[name]() for name in ARGUMENTS.get(beat.name, ("slot",))}
    request = {
        "schema": 1,
        "verb": beat.name,
        "args": {name: value for name, value in given.items() if value is not None},
        "reason": "as the story says",
        "by": "story",
    }
    reply = stage.operate(request)
    stage.note(beat.slot or "cell", "answer", f"{reply['message']} (code {reply['code']})")
    is_said = beat.says in reply["message"] and reply["code"] == (beat.code or 0)
    if not is_said:
        wanted = f"code {beat.code or 0} and {beat.says!r}"
        stage.unsaid.append(f"{beat.name} at {beat.s:g} s: expected {wanted}, was answered: {reply}")
    _follow_mode(stage)
    stage.world.tick()


def _follow_mode(stage: Stage) -> None:
    """Let the story go on from the mode that the command may have written."""
    for stored in stage.world.table.items():
        if (top(stored, "pk"), top(stored, "sk")) == (CELL, "MODE"):
            stage.mode = decode(ModeRecord, body(stored))
    stage.world.owners_start = stage.mode.mode is Mode.OBSERVE


def _operation(stage: Stage, beat: Beat) -> str:
    op = stage.world.records()[SlotName(beat.slot)].operation
    return op.id if op else beat.to
