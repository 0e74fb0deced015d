"""Rules 6xx: one held launch, whatever its slot is doing.

A launch hook ends by itself (AWS: lifecycle hooks, HeartbeatTimeout), so a held launch is extended
in time, released when the slot does not gate it, and never forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from picoha.domain.actions import AbandonLaunch, ExtendLaunch, ReleaseLaunch
from picoha.domain.decision import Answer, Change, Decision, wait
from picoha.domain.model import Member
from picoha.domain.record import Mode
from picoha.domain.rules.steps import send_once
from picoha.domain.situation import Situation


@dataclass(frozen=True)
class Launch:
    """A held launch in the case of its slot."""

    situation: Situation
    member: Member


@dataclass(frozen=True)
class LaunchRule:
    """One row of the launch table."""

    number: int
    name: str
    when: Callable[[Launch], bool]
    then: Callable[[Launch], Decision]


def is_unnoted(launch: Launch) -> bool:
    return launch.member.instance not in launch.situation.record.held


def note(launch: Launch) -> Decision:
    """Remember when the hook's clock was first seen, so that its end can be told."""
    return _noted(launch, f"{launch.member.instance} is held in its launch hook", "launch-held")


def _noted(launch: Launch, sentence: str, event: str = "") -> Decision:
    situation = launch.situation
    held = {**_still_held(situation), launch.member.instance: situation.now}
    change = Change(record=replace(situation.record, held=held), event=event)
    return Decision(Answer.UPKEEP, sentence, change=change, look_again_s=0.0)


def _still_held(situation: Situation) -> dict[str, datetime]:
    members = situation.group.members if situation.group else ()
    now_held = {member.instance for member in members if member.is_held or member.is_warming}
    return {instance: at for instance, at in situation.record.held.items() if instance in now_held}


def is_ungated(launch: Launch) -> bool:
    """In observe, or without the owner's signature, a launch ends as without picoha.

    In enforce, wrong tags do not tell whether the owner signed: the launch waits for better ones.
    """
    situation = launch.situation
    is_told = situation.seen.mode.mode is Mode.OBSERVE or (
        situation.observed.spec is not None and not situation.observed.problem
    )
    return is_told and not situation.is_armed and situation.record.operation is None


def release_ungated(launch: Launch) -> Decision:
    why = (
        "the cell is in observe"
        if launch.situation.seen.mode.mode is Mode.OBSERVE
        else "the slot is not fenceable"
    )
    return _release(launch, f"{launch.member.instance} is released at once: {why}")


def _release(launch: Launch, sentence: str) -> Decision:
    group = launch.situation.group
    name = group.name if group else ""
    action = ReleaseLaunch(name, launch.member.instance)
    return send_once(launch.situation, sentence, action, event="launch-released")


def is_warm_and_ready(launch: Launch) -> bool:
    return launch.member.is_warming and launch.situation.fresh_report(launch.member.instance) is not None


def release_warm(launch: Launch) -> Decision:
    return _release(launch, f"{launch.member.instance} is ready for the warm pool; never granted there")


def is_dead_and_unowned(launch: Launch) -> bool:
    situation = launch.situation
    host = situation.host(launch.member.instance)
    op = situation.operation
    is_owned = op is not None and launch.member.instance in (*op.victims, op.target)
    return host is not None and host.is_terminated and not is_owned and situation.is_armed


def abandon(launch: Launch) -> Decision:
    group = launch.situation.group
    sentence = f"{launch.member.instance} is terminated but still held; its launch is abandoned"
    action = AbandonLaunch(group.name if group else "", launch.member.instance)
    return send_once(launch.situation, sentence, action, event="launch-abandoned")


def holds_the_slot(launch: Launch) -> bool:
    """A launch whose host was granted already: nobody else will finish it."""
    record = launch.situation.record
    return record.holder == launch.member.instance and record.operation is None


def release_holder(launch: Launch) -> Decision:
    return _release(launch, f"{launch.member.instance} holds the slot; its launch is finished")


def is_running_out(launch: Launch) -> bool:
    """True after a third of the heartbeat: well before half time even when one call was lost."""
    since = launch.situation.record.held.get(launch.member.instance)
    return since is not None and launch.situation.now - since >= launch.situation.policy.hook_heartbeat / 3


def extend(launch: Launch) -> Decision:
    group = launch.situation.group
    decision = _noted(launch, f"the launch hook of {launch.member.instance} is extended")
    action = ExtendLaunch(group.name if group else "", launch.member.instance)
    return replace(decision, actions=(action,))


def always(_launch: Launch) -> bool:
    return True


def leave(launch: Launch) -> Decision:
    return wait(f"{launch.member.instance} stays held until its slot decides", None)


LAUNCH_RULES: tuple[LaunchRule, ...] = (
    LaunchRule(601, "the launch is new", is_unnoted, note),
    LaunchRule(603, "the slot does not gate launches", is_ungated, release_ungated),
    LaunchRule(605, "a warm host is ready", is_warm_and_ready, release_warm),
    LaunchRule(607, "the launch is dead", is_dead_and_unowned, abandon),
    LaunchRule(609, "the launch is the holder's", holds_the_slot, release_holder),
    LaunchRule(611, "the hook runs out", is_running_out, extend),
    LaunchRule(699, "the slot decides", always, leave),
)
