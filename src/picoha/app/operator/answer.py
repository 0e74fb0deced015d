"""Answers an operator's command: look, or write a request that the loop consumes. Nothing else.

A request is refused here by the loop's own tables on a fresh observation (`domain.plan.preview`), so
a refusal in the terminal and one in the history are the same sentence. Nothing here can act.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from picoha.app.errors import ActionFailed, LostRace, MemoryUnreadable, SensorFailed
from picoha.app.observe import observe
from picoha.app.ports import OperatorPorts, Remembered
from picoha.domain.model import InstanceId, SlotName
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import HistoryRow, Mode, Request, RequestVerb
from picoha.domain.views.plan import preview, refusal

FINE, REFUSED, USAGE, UNKNOWN = 0, 1, 2, 3
"""What a command ends with: fine; refused or not well; wrongly asked; could not find out."""
CELL_KEY = SlotName("*")
"""Stands for the cell itself among pauses and in the history."""


@dataclass(frozen=True)
class Command:
    """One command as asked; `span` is its `--for` or `--since`, `to` a mode or what to plan."""

    verb: str
    id: str = ""
    slot: SlotName | None = None
    instance: InstanceId | None = None
    operation: str = ""
    to: str = ""
    span: timedelta | None = None
    limit: int = 50
    reason: str = ""
    by: str = ""


@dataclass(frozen=True)
class Reply:
    """One answer; `changed` is empty when nothing was changed, `mode` None unless it was changed.

    `unsure` says what is not known about a change, where its outcome is not known.
    """

    code: int
    sentence: str
    changed: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode | None = None
    unsure: str = ""

    @property
    def message(self) -> str:
        """The whole answer in words: the sentence, then what was changed."""
        changed = f"changed: {self.changed}" if self.changed else NOTHING
        return f"{self.sentence}; {self.unsure or changed}"


class Refusal(Exception):
    """Ends a command that is not carried out; its text is the reason."""

    def __init__(self, sentence: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.data = data or {}


@dataclass(frozen=True)
class Asked:
    """A command with all that answers it; what is looked at is looked at once."""

    command: Command
    ports: OperatorPorts
    policy: Policy

    @cached_property
    def seen(self) -> Observation:
        """The whole cell; raises MemoryUnreadable."""
        seen = observe(self.ports, self.policy.fresh_within)
        if seen.memory is not None:
            raise MemoryUnreadable(seen.memory.reason)
        return seen

    @cached_property
    def remembered(self) -> Remembered:
        """The working memory alone; raises MemoryUnreadable."""
        return self.ports.memory.load()

    @property
    def mode(self) -> Mode:
        """The mode as read for this answer; observe where it could not be read (design.md 6)."""
        if "seen" in self.__dict__:
            return self.seen.mode.mode
        try:
            return self.remembered.mode.mode
        except MemoryUnreadable:
            return Mode.OBSERVE

    @property
    def slot(self) -> SlotName:
        """The slot asked about; raises Refusal when the cell has none of that name."""
        names = [slot.name for slot in self.seen.slots]
        if self.command.slot is None or self.command.slot not in names:
            known = ", ".join(names) or "no slot"
            raise Refusal(f"there is no slot {self.command.slot}; the cell has {known}")
        return self.command.slot

    def row(self, event: str, sentence: str, ver: int, slot: SlotName = CELL_KEY) -> HistoryRow:
        """Return the history row of a change that an operator makes without the loop."""
        return HistoryRow(self.ports.clock.now(), slot, ver, 0, event, sentence, self.mode)


Answerer = Callable[[Asked], Reply]


def answer(command: Command, ports: OperatorPorts, policy: Policy, verbs: Mapping[str, Answerer]) -> Reply:
    """Return the answer in its plain order: begins with the mode, ends with what was changed."""
    asked = Asked(command, ports, policy)
    reply = _answered(asked, verbs[command.verb])
    mode = (reply.mode or asked.mode).value.upper()
    return replace(reply, sentence=f"{mode} {ports.cell}: {reply.sentence}")


NOTHING = "nothing was changed"


def _answered(asked: Asked, verb: Answerer) -> Reply:
    try:
        return verb(asked)
    except Refusal as refused:
        return Reply(REFUSED, str(refused), data=refused.data)
    except LostRace:
        return Reply(REFUSED, "somebody else changed it in this very moment; look, and ask again")
    except (MemoryUnreadable, SensorFailed) as problem:
        return Reply(UNKNOWN, f"could not find out: {problem}")
    except ActionFailed as failed:
        unsure = "" if failed.outcome_known else "whether anything was changed is not known; look first"
        return Reply(UNKNOWN, str(failed), unsure=unsure)


# Requests to the loop.


def order(verb: RequestVerb, find: Callable[[Asked], SlotName]) -> Answerer:
    """Return what answers a verb by a request: refused by the loop's tables, or written for the loop."""

    def run(asked: Asked) -> Reply:
        command, slot = asked.command, find(asked)
        requests = asked.seen.slot(slot).requests
        waiting = [one for one in requests if one.id != command.id and not _yields(one.verb, verb)]
        if waiting:
            first = waiting[0]
            raise Refusal(f"{first.verb} by {first.by} of {first.at:%H:%M:%S} UTC still waits for the loop")
        request = requested(asked, verb, slot)
        decision = preview(asked.seen, request, asked.policy)
        if why := refusal(decision):
            raise Refusal(why, {"rule": decision.rule})
        asked.ports.requests.ask(request)
        target = f" of {request.instance}" if request.instance else ""
        return Reply(
            FINE,
            f"{verb} of {slot} is asked for; the loop would answer now: {decision.sentence}",
            f"request {request.id} ({verb}{target}) waits for the loop, which looks within a minute",
            {"request": request.id, "slot": slot, "rule": decision.rule},
        )

    return run


def _yields(waits: RequestVerb, verb: RequestVerb) -> bool:
    """Return whether a waiting order holds no new one back: a forced failover is served before it."""
    return verb is RequestVerb.FAILOVER and waits is RequestVerb.SWITCHOVER


def requested(asked: Asked, verb: RequestVerb, slot: SlotName) -> Request:
    """Return the request that a command comes to."""
    one = asked.command
    return Request(one.id, verb, slot, one.by, one.reason, asked.ports.clock.now(), one.instance)


def of_slot(asked: Asked) -> SlotName:
    """Find the slot that the command names."""
    return asked.slot


def of_operation(asked: Asked) -> SlotName:
    """Find the slot whose open operation has this id; raises Refusal."""
    found = {
        slot.record.operation.id: slot.name
        for slot in asked.seen.slots
        if slot.record and slot.record.operation is not None
    }
    if asked.command.operation not in found:
        known = ", ".join(found) or "none"
        raise Refusal(f"no operation {asked.command.operation} is open; open: {known}")
    return found[asked.command.operation]


def of_instance(asked: Asked) -> SlotName:
    """Find the slot that an instance is or was in, else the one that waits longest for evidence.

    The loop's rule then says what it thinks of the instance; raises Refusal where nobody waits.
    """
    instance, slots = asked.command.instance, asked.seen.slots
    for one in slots:
        if one.record and instance in one.record.unfenced:
            return one.name
    for one in slots:
        if not isinstance(one.hosts, tuple):
            continue
        if any(host.instance == instance for host in one.hosts):
            return one.name
    waiting = [slot for slot in slots if slot.record and slot.record.operation and slot.record.unfenced]
    if not waiting:
        raise Refusal(f"{instance} is no host of this cell, and no operation waits for evidence")
    return waiting[0].name


def follow(asked: Asked) -> Reply:
    """Say how far the loop is with a request; `data.state` is waiting, answered or unknown."""
    command, slot = asked.command, asked.command.slot
    if any(request.id == command.id for request in asked.remembered.requests):
        return Reply(FINE, f"request {command.id} waits for the loop's next look", data={"state": "waiting"})
    now = asked.ports.clock.now()
    since = now - asked.policy.request_expires - timedelta(hours=1)
    rows = asked.ports.memory.history(since, now + timedelta(minutes=1))
    row = next((one for one in rows if one.request == command.id), None)
    if row is None:
        text = f"request {command.id} is neither waiting nor in the last hour's history"
        return Reply(UNKNOWN, text, data={"state": "unknown"})
    is_refused = row.event == "refused"
    changed = "" if is_refused else f"{row.event} by rule {row.rule}"
    data: dict[str, Any] = {
        "state": "answered",
        "event": row.event,
        "rule": row.rule,
        "operation": row.operation,
        "slot": slot,
    }
    return Reply(REFUSED if is_refused else FINE, row.sentence, changed, data)
