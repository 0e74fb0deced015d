"""Changes that an operator makes to the cell itself: the mode, pauses, the storm, the breaker.

Each is one conditional write of the whole item with its history row; the loop obeys at its next look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from picoha.app.operator.answer import CELL_KEY, FINE, Asked, Refusal, Reply
from picoha.app.operator.views import period_report
from picoha.domain.codec import encode
from picoha.domain.doctor.findings import errors
from picoha.domain.judging.storm import storm
from picoha.domain.model import SlotName
from picoha.domain.record import Mode, ModeRecord, Pause
from picoha.domain.situation import Situation

PAUSE_FOR = timedelta(hours=2)
"""How long a pause lasts by default; the longest is 24 h (safety.md 6.3)."""
REPORT_SPAN = timedelta(days=14)


def mode(asked: Asked) -> Reply:
    """Change the mode; `enforce` shows the report and refuses while `doctor` has errors or cannot look."""
    command, old = asked.command, asked.seen.mode
    to = Mode(command.to)
    if to is old.mode and old.ver:
        return Reply(FINE, f"the mode already is {to}", data={"mode": to.value})
    data = _before_enforce(asked) if to is Mode.ENFORCE else {}
    sentence = f"{command.by} sets the mode to {to}: {command.reason}"
    new = replace(old, mode=to, since=asked.ports.clock.now())
    asked.ports.requests.save_mode(new, asked.row("mode", sentence, old.ver + 1))
    busy = [slot.name for slot in asked.seen.slots if slot.record and slot.record.operation]
    going_on = f" ({', '.join(busy)}: the open operation takes nothing more)" if busy else ""
    enforced = "picoha now takes where a slot is fenceable"
    meaning = enforced if to is Mode.ENFORCE else f"taking stops{going_on}"
    return Reply(FINE, f"{sentence}; {meaning}", f"the mode is {to}", {"mode": to.value, **data}, mode=to)


def _before_enforce(asked: Asked) -> Mapping[str, Any]:
    found = asked.ports.examine()
    data = {"findings": encode(found), "report": encode(period_report(asked, REPORT_SPAN))}
    wrong = errors(found)
    if wrong:
        first = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        mend = f"; mend: {first.mend}" if first.mend else ""
        raise Refusal(
            f"enforce is refused while doctor finds errors: {first.id} {first.subject}: "
            f"{first.sentence}{more}{mend}",
            data,
        )
    if blind := [one for one in found if one.is_unseen]:
        names = ", ".join(one.id for one in blind)
        told = f"{len(blind)} checks could not look: {names} ({blind[0].sentence})"
        raise Refusal(f"enforce is refused: {told}; unknown never admits", data)
    return data


def pause(asked: Asked) -> Reply:
    """Stop everything new in a slot or the cell; what is under way runs on. Never shortens a pause."""
    command, old = asked.command, asked.seen.mode
    key = _key(asked)
    now = asked.ports.clock.now()
    paused = Pause(command.reason, command.by, now, now + (command.span or PAUSE_FOR))
    if (earlier := old.pauses.get(key)) and paused.until < earlier.until:
        first = "picoha resume" if key == CELL_KEY else f"picoha resume {key}"
        raise Refusal(
            f"{_named(key)} is already paused until {earlier.until:%Y-%m-%d %H:%M:%S} UTC by {earlier.by}: "
            f"{earlier.reason}; to end it sooner, `{first}` first"
        )
    pauses = {**_kept(asked, old), key: paused}
    what = f"{_named(key)} is paused until {paused.until:%Y-%m-%d %H:%M:%S} UTC"
    sentence = f"{what} by {command.by}: {command.reason}"
    asked.ports.requests.save_mode(
        replace(old, pauses=pauses), asked.row("paused", sentence, old.ver + 1, key)
    )
    ends = f"when it runs out picoha observes for {asked.policy.pause_observe.total_seconds():.0f} s first"
    return Reply(FINE, f"{sentence}; {ends}", what, {"until": paused.until.isoformat()})


def resume(asked: Asked) -> Reply:
    """End a pause now; whatever is red is confirmed anew, at once."""
    command, old, key = asked.command, asked.seen.mode, _key(asked)
    live = _kept(asked, old)
    if key not in live:
        others = ", ".join(_named(one) for one in live) or "nothing"
        raise Refusal(f"{_named(key)} is not paused; paused: {others}")
    sentence = f"{command.by} resumes {_named(key)}: {command.reason}"
    left = {name: one for name, one in live.items() if name != key}
    asked.ports.requests.save_mode(
        replace(old, pauses=left), asked.row("unpaused", sentence, old.ver + 1, key)
    )
    still = f"; still paused: {', '.join(map(_named, left))}" if left else ""
    return Reply(FINE, f"{sentence}; what is red now is confirmed anew{still}", f"{_named(key)} is resumed")


def _key(asked: Asked) -> SlotName:
    return asked.slot if asked.command.slot else CELL_KEY


def _named(key: str) -> str:
    return "the cell" if key == CELL_KEY else f"slot {key}"


def _kept(asked: Asked, mode: ModeRecord) -> dict[str, Pause]:
    """Return the pauses that still hold something, the soft end of an expired one included."""
    now, soft = asked.ports.clock.now(), asked.policy.pause_observe
    return {name: one for name, one in mode.pauses.items() if now < one.until + soft}


def release_storm(asked: Asked) -> Reply:
    """Say that the many bad slots are one known cause: the storm gate is open for a while."""
    command, seen = asked.command, asked.seen
    held = [gate for slot in seen.slots if not (gate := storm(Situation(seen, slot, asked.policy))).is_open]
    if not held:
        raise Refusal("no storm holds anything now")
    until = asked.ports.clock.now() + (command.span or asked.policy.storm_memory)
    sentence = f"{command.by} releases the storm until {until:%H:%M:%S} UTC: {command.reason}"
    row = asked.row("storm-released", sentence, seen.brake.ver + 1)
    asked.ports.requests.save_brake(replace(seen.brake, storm_released_until=until), row)
    still = "one execution slot at a time; brake and cool-down still hold"
    return Reply(FINE, f"{sentence}; {held[0].fact or held[0].sentence}; {still}", "the storm gate is open")


def close_breaker(asked: Asked) -> Reply:
    """Close the breaker and count automatic failovers anew; else the next one opened it again."""
    command, brake = asked.command, asked.seen.brake
    if not brake.is_open:
        raise Refusal("the breaker is not open")
    sentence = f"{command.by} closes the breaker ({brake.opened_because}): {command.reason}"
    closed = replace(brake, is_open=False, opened_because="", admitted={})
    asked.ports.requests.save_brake(closed, asked.row("breaker-closed", sentence, brake.ver + 1))
    return Reply(FINE, f"{sentence}; its counts begin anew", "the breaker is closed")
