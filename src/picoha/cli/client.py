"""The commands' side: send one request, wait for the loop's answer, follow the operation to its end."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from picoha.app.errors import OperatorUnreachable, SettingsInvalid

if TYPE_CHECKING:
    from picoha.drills.story import Story

Reply = dict[str, Any]
POLL_S = 3.0
NOTHING = "nothing was changed"
UNKNOWN = 3
"""The code of a reply that could not find out."""
LEAD_ON = {"admitted": 0, "retried": 0, "confirmed-fenced": 40}
"""Answers of the loop after which an operation goes on: looks until it no longer waits for a human."""
SETTLES = 40
"""Looks until a cell that is not well after a switchover stops a roll: two minutes."""
PATIENCE = 10
"""Answers that may stay out in a row before a command stops watching; the loop goes on without it."""


class OperatorChannel(Protocol):
    """A way to the operator function, and time to wait in."""

    def send(self, request: Mapping[str, Any]) -> Reply:
        """Return the reply; raises OperatorUnreachable."""
        ...

    def wait(self, seconds: float) -> None: ...


class DeployedOperator:
    """The operator function of a deployed cell, `picoha-<cell>-operator`; needs lambda:InvokeFunction."""

    def __init__(self, stack: str, region: str | None = None) -> None:
        from picoha.adapters.aws.operator_client import OperatorClient
        from picoha.clock import SystemClock

        self._client = OperatorClient.in_region(f"{stack}-operator", region)
        self._clock = SystemClock()

    def send(self, request: Mapping[str, Any]) -> Reply:
        """Return the reply; raises OperatorUnreachable."""
        return self._client.send(request)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.sleep(seconds)


class DrillOperator:
    """The operator function of a cell in a drill, `at_s` seconds into its story.

    Time passes only in `wait`. Raises SettingsInvalid for a story that cannot be played.
    """

    def __init__(self, story: Story, at_s: float) -> None:
        from picoha.drills.drill import Drill
        from picoha.drills.verbs.table import schedule

        self.drill = Drill(story, is_short=True)
        try:
            self.drill.setup.prepare()
            schedule(self.drill.setup)
            self.drill.world.scheduler.run_for(at_s)
        except BaseException:
            self.close()
            raise

    def send(self, request: Mapping[str, Any]) -> Reply:
        """Return the reply of the real handler."""
        return self.drill.setup.operate(dict(request))

    def wait(self, seconds: float) -> None:
        """Let virtual time pass in the whole cell."""
        self.drill.world.scheduler.run_for(seconds)

    def close(self) -> None:
        """End every task of the drill."""
        self.drill.world.scheduler.close()


def channel(cell: str | None, region: str | None) -> OperatorChannel:
    """Return the way to a deployed cell; raises SettingsInvalid when none is named."""
    if not cell:
        raise SettingsInvalid("which cell? give --cell or --stack (PICOHA_CELL, PICOHA_STACK)")
    return DeployedOperator(f"picoha-{cell}", region)


def caller() -> str:
    """Return who asks, as `user@host`; CloudTrail has the proof of who it was."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # no such user, no such variable
        return "unknown"


class Client:
    """Asks through a channel; `tell` gets progress, one line each."""

    def __init__(self, channel: OperatorChannel, by: str, tell: Callable[[str], None]) -> None:
        self._channel, self._by, self._tell = channel, by, tell

    def ask(self, verb: str, reason: str = "", **args: object) -> Reply:
        """Return the function's reply; arguments that are None are left out; raises OperatorUnreachable."""
        given = {name: value for name, value in args.items() if value is not None}
        return self._channel.send(
            {"schema": 1, "verb": verb, "args": given, "reason": reason, "by": self._by}
        )

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._channel.wait(seconds)

    def finish(self, request: str, slot: str) -> Reply:
        """Wait until the loop answered a request and its operation ended; return the last reply.

        The reply's code is 0 for done, 1 for refused, aborted or stuck, 3 where the loop's answer is not
        found; raises OperatorUnreachable, outcome not known, when nobody answers any more.
        """
        unsure = f"request {request} is written and its outcome is not known"
        try:
            reply = self._until(lambda: self._look("follow", request=request, slot=slot), _is_answered)
            operation, event = reply["data"].get("operation"), reply["data"].get("event")
            if not reply["code"] and operation and event in LEAD_ON:
                self._tell(reply["message"])
                return self._ended(operation, LEAD_ON[event], unsure)
        except OperatorUnreachable as problem:
            raise OperatorUnreachable(f"{problem}; {unsure}", outcome_known=False) from problem
        return reply if reply["code"] != UNKNOWN else ended(reply, unsure=unsure)

    def _look(self, verb: str, **args: str) -> Reply:
        """Ask how far it is; an answer that could not find out is none: raises OperatorUnreachable."""
        reply = self.ask(verb, **args)
        if reply["code"] == UNKNOWN and not reply["data"].keys() & {"state", "operation"}:
            raise OperatorUnreachable(str(reply["sentence"]))
        return reply

    def _ended(self, operation: str, patience: int, unsure: str) -> Reply:
        """Follow an operation; one that waits for a human may do so for `patience` more looks.

        `unsure` is told where the reply has no operation.
        """
        told: set[str] = set()
        left = iter(range(patience))

        def ends(reply: Reply) -> bool:
            found = reply["data"].get("operation", {})
            for line in marks(found, told):
                self._tell(line)
            is_stuck = found.get("step") == "needs-operator" and next(left, None) is None
            is_ended = found.get("step") in ("done", "aborted")
            return bool(reply["code"] or is_ended or is_stuck)

        reply = self._until(lambda: self._look("show", operation=operation), ends)
        step = reply["data"].get("operation", {}).get("step")
        code = reply["code"] if step == "done" else reply["code"] or 1
        told_of = {"changed": f"{operation} is {step}"} if step else {"unsure": unsure}
        return {**ended(reply, **told_of), "code": code}

    def roll(self, slots: Sequence[str], reason: str) -> Reply:
        """Switch over these slots in order; return the reply that stopped it, or the last status.

        Raises OperatorUnreachable, which names what was switched over before.
        """
        done: list[str] = []
        try:
            return self._roll(slots, reason, done)
        except OperatorUnreachable as problem:
            if not done:
                raise
            told = f"{problem}; switched over before that: {', '.join(done)}"
            raise OperatorUnreachable(told, outcome_known=False) from problem

    def _roll(self, slots: Sequence[str], reason: str, done: list[str]) -> Reply:
        for slot in slots:
            reply = self.ask("status")
            if reply["code"] == 0:
                self._tell(f"{slot}, {len(done) + 1} of {len(slots)}")
                reply = self.ask("switchover", reason, slot=slot)
            if reply["code"] == 0:
                reply = self.finish(reply["data"]["request"], slot)
            if reply["code"]:
                return _rolled(reply, done, f"stopped before {slot} was done")
            done.append(slot)
            self._until(lambda: self.ask("status"), _is_well(SETTLES))
        return _rolled(self.ask("status"), done, "")

    def _until(self, look: Callable[[], Reply], is_over: Callable[[Reply], bool]) -> Reply:
        silent = 0
        while True:
            try:
                reply = look()
                silent = 0
                if is_over(reply):
                    return reply
            except OperatorUnreachable as problem:
                silent += 1
                if silent >= PATIENCE:
                    raise
                self._tell(f"no answer ({problem}); asking again")
            self.wait(POLL_S)


def rolled(status: Reply) -> tuple[list[str], dict[str, str]]:
    """Return the slots of a status in the order of a roll, the Platform last, and why each other is not."""
    slots = status["data"].get("slots", [])
    left_out = {str(slot["slot"]): str(slot["not_rolled"]) for slot in slots if slot.get("not_rolled")}
    in_order = sorted(slots, key=lambda one: one["kind"] == "platform")
    return [str(one["slot"]) for one in in_order if one["slot"] not in left_out], left_out


def _rolled(reply: Reply, done: Sequence[str], stopped: str) -> Reply:
    """Return a reply that ends with all that a roll changed, its last order included."""
    last = [reply["changed"]] if reply["changed"] else []
    changes = ([f"{', '.join(done)} switched over"] if done else []) + last
    # An order whose outcome is not known says so first: what was done before does not answer for it.
    parts = [part for part in (reply["sentence"], reply["unsure"], stopped) if part]
    if reply["unsure"] and not changes:
        return {**reply, "message": "; ".join(parts)}
    return ended({**reply, "sentence": "; ".join(parts)}, changed=", ".join(changes))


def ended(reply: Reply, changed: str = "", unsure: str = "") -> Reply:
    """Return the reply to a look as the end of a change: what it changed, or what is not known."""
    ending = unsure or (f"changed: {changed}" if changed else NOTHING)
    message = f"{reply['sentence']}; {ending}"
    return {**reply, "changed": changed, "unsure": unsure, "message": message}


def _is_well(looks: int) -> Callable[[Reply], bool]:
    """Return what is true for a cell that is well, or after so many looks."""
    left = iter(range(looks))
    return lambda reply: reply["code"] == 0 or next(left, None) is None


def _is_answered(reply: Reply) -> bool:
    return bool(reply["data"].get("state") != "waiting")


def marks(operation: Mapping[str, Any], told: set[str]) -> Iterator[str]:
    """Yield a line for each mark of an operation's trail that was not told before, and remember it."""
    for name, at in sorted(operation.get("trail", {}).items(), key=lambda one: str(one[1])):
        if f"{name} {at}" not in told:
            told.add(f"{name} {at}")
            yield f"  {at[11:19]}  {name}"
