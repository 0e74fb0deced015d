"""What an operator does in a story: a request past the operator function, or a command through it."""

from __future__ import annotations

from collections.abc import Callable

from picoha.adapters.aws.items import CELL, body, item, top
from picoha.domain.codec import decode, encode
from picoha.domain.model import InstanceId, SlotName
from picoha.domain.record import Mode, ModeRecord, Request, RequestVerb
from picoha.drills.setup import Setup
from picoha.drills.story import Beat


def ask(setup: Setup, beat: Beat) -> None:
    """Write an operator's request: `name` is its verb; `to` its instance: an id, victim, holder, newest."""
    world = setup.world
    request = Request(
        id=f"story-{world.scheduler.elapsed:.0f}",
        verb=RequestVerb(beat.name),
        slot=SlotName(beat.slot),
        by="story",
        reason="as the story says",
        at=world.scheduler.now,
        instance=_instance(setup, beat),
    )
    world.admin.dynamodb.put_item(
        TableName=world.table.name, Item=item(CELL, f"REQ#{request.id}", encode(request))
    )
    world.tick()


def _instance(setup: Setup, beat: Beat) -> InstanceId | None:
    """Return what `to` names: the slot's victim, holder or newest living host, or an id as it is."""
    record = setup.world.records()[SlotName(beat.slot)]
    op = record.operation
    living = [host for host in setup.world.hosts.values() if host.slot == beat.slot and host.is_up]
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


def command(setup: Setup, beat: Beat) -> None:
    """Send the command `name` to the operator function; its answer must hold `says` and end with `code`."""
    arguments: dict[str, Callable[[], object]] = {
        "slot": lambda: beat.slot or None,
        "for_s": lambda: int(beat.for_s) or None,
        "mode": lambda: beat.to,
        "instance": lambda: _instance(setup, beat),
        "operation": lambda: _operation(setup, beat),
    }
    given = {name: arguments[name]() for name in ARGUMENTS.get(beat.name, ("slot",))}
    request = {
        "schema": 1,
        "verb": beat.name,
        "args": {name: value for name, value in given.items() if value is not None},
        "reason": "as the story says",
        "by": "story",
    }
    reply = setup.operate(request)
    setup.note(beat.slot or "cell", "answer", f"{reply['message']} (code {reply['code']})")
    is_said = beat.says in reply["message"] and reply["code"] == (beat.code or 0)
    if not is_said:
        wanted = f"code {beat.code or 0} and {beat.says!r}"
        setup.unsaid.append(f"{beat.name} at {beat.s:g} s: expected {wanted}, was answered: {reply}")
    _follow_mode(setup)
    setup.world.tick()


def _follow_mode(setup: Setup) -> None:
    """Let the story go on from the mode that the command may have written."""
    for stored in setup.world.table.items():
        if (top(stored, "pk"), top(stored, "sk")) == (CELL, "MODE"):
            setup.mode = decode(ModeRecord, body(stored))
    setup.world.owners_start = setup.mode.mode is Mode.OBSERVE


def _operation(setup: Setup, beat: Beat) -> str:
    op = setup.world.records()[SlotName(beat.slot)].operation
    return op.id if op else beat.to
