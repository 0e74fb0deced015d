"""What a story can let happen after second 0, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from picoha.app.errors import SettingsInvalid
from picoha.domain.record import Mode, Pause, RequestVerb, Step
from picoha.drills.account import AWS
from picoha.drills.setup import Stage
from picoha.drills.story import Beat
from picoha.drills.verbs import owner as owner_verbs
from picoha.drills.verbs.operator import ask, command
from picoha.fakeaws.scheduler import DeskFault, TaskKilled


def schedule(stage: Stage) -> None:
    """Let every beat happen at its second."""
    for beat in stage.story.at:
        _check(beat)
        stage.world.kernel.at(beat.s, partial(_play, stage, beat))


def _check(beat: Beat) -> None:
    """Refuse a beat that cannot be played, before anything is; raises SettingsInvalid."""
    if beat.do not in VERBS:
        raise SettingsInvalid(f"the story does {beat.do!r}; the desk knows {', '.join(sorted(VERBS))}")
    if not beat.slot and beat.do not in OF_THE_CELL:
        raise SettingsInvalid(f"{beat.do} at {beat.s:g} s needs a slot")
    if beat.do == "mode" and beat.to not in list(Mode):
        raise SettingsInvalid(f"mode at {beat.s:g} s: to is {beat.to!r}, not {' or '.join(Mode)}")
    if beat.do == "ask" and beat.name not in list(RequestVerb):
        raise SettingsInvalid(f"ask at {beat.s:g} s: name is {beat.name!r}, not {', '.join(RequestVerb)}")
    if beat.step and (beat.step not in list(Step) or not beat.slot):
        raise SettingsInvalid(f"{beat.do} at {beat.s:g} s: step is one of {', '.join(Step)}, of a slot")


def _play(stage: Stage, beat: Beat) -> None:
    kind, text = SAID.get(beat.do, ("world", beat.do.replace("-", " ")))
    words = (text, beat.pico or beat.name, beat.to, beat.step)
    stage.note(beat.slot or "cell", kind, " ".join(word for word in words if word))
    VERBS[beat.do](stage, beat)


OF_THE_CELL = frozenset(
    {
        "dependency",
        "mode",
        "operator",
        "pause",
        "throttle",
        "table",
        "no-metrics",
        "deaf",
        "deploy",
        "kill-handlers",
    }
)
"""Beats that need no slot."""

SAID = {
    "die": ("silence", "the machine dies with its picos; EC2 goes on saying running"),
    "agent-dies": ("silence", "the agent dies; the picos go on running"),
    "ask": ("operator", "asks for"),
    "operator": ("operator", "picoha"),
}
"""How the timeline tells some of the beats; the others are told by their own names."""


def _pause(stage: Stage, beat: Beat) -> None:
    """Pause the slot, or the cell, for `for_s` seconds; 0 ends the pause now."""
    now = stage.world.kernel.now
    key = beat.slot or "*"
    pauses = {name: one for name, one in stage.mode.pauses.items() if name != key}
    if beat.for_s:
        pauses[key] = Pause("story", "story", now, now + timedelta(seconds=beat.for_s))
    stage.set_mode(replace(stage.mode, pauses=pauses))


def _enforce(stage: Stage, beat: Beat) -> None:
    """Change the cell's mode."""
    stage.set_mode(replace(stage.mode, mode=Mode(beat.to)))
    stage.world.owners_start = beat.to == "observe"


def _throttle(stage: Stage, beat: Beat) -> None:
    """Let every call of an operation be throttled for `for_s` seconds."""
    end = stage.world.kernel.elapsed + beat.for_s

    def refuse(_service: str, operation: str, _params: dict[str, Any]) -> None:
        if operation == beat.name and stage.world.kernel.elapsed < end:
            raise DeskFault("RequestLimitExceeded", "Request limit exceeded.", 503)

    stage.world.gate.faults.before.append(refuse)


def _table(stage: Stage, beat: Beat) -> None:
    """Keep a backup of the table, or restore it."""
    if beat.to == "backup":
        stage.backup = stage.world.table.snapshot()
    else:
        stage.world.table.restore(stage.backup)


def _stop(stage: Stage, beat: Beat) -> None:
    """Somebody stops the host by hand; EC2 refuses that while it does not run, and nothing happens."""
    instance = stage.host(beat).instance
    if instance.state == "running":
        stage.world.ec2.stop(instance.id)
    else:
        stage.note(beat.slot, "world", f"EC2 refuses: {instance.id} is {instance.state}")


def _sick(stage: Stage, beat: Beat) -> None:
    host = stage.host(beat)
    host.sick[beat.pico] = 100 if beat.code is None else beat.code


def _heal(stage: Stage, beat: Beat) -> None:
    stage.host(beat).sick.pop(beat.pico, None)


def _agent(is_up: bool, stage: Stage, beat: Beat) -> None:
    stage.host(beat).is_agent_up = is_up


def _cut(is_cut: bool, stage: Stage, beat: Beat) -> None:
    host = stage.host(beat).instance.id
    if beat.to == AWS:
        pair = (host, AWS)
    else:
        pair = ("*" if not beat.to else stage.world.holder(beat.to).instance.id, host)
    (stage.world.network.blocked.add if is_cut else stage.world.network.blocked.discard)(pair)


def _ring_again(stage: Stage, beat: Beat) -> None:
    stage.world.admin.cloudwatch.set_alarm_state(
        AlarmName=f"picoha-{stage.story.cell.name}-{beat.slot}", StateValue="OK", StateReason="story"
    )
    stage.world.admin.cloudwatch.set_alarm_state(
        AlarmName=f"picoha-{stage.story.cell.name}-{beat.slot}", StateValue="ALARM", StateReason="story"
    )


def _capacity(stage: Stage, beat: Beat) -> None:
    stage.group(beat).launch_failures = beat.number


def _bad_starts(stage: Stage, beat: Beat) -> None:
    stage.world.bad_starts[beat.slot] = (beat.code or 0, beat.to)


def _unhealthy(stage: Stage, beat: Beat) -> None:
    """Somebody else calls the host unhealthy: Auto Scaling replaces it on its own, if it is a member."""
    instance = stage.host(beat).instance.id
    if stage.world.autoscaling.member(instance) is None:
        stage.note(beat.slot, "world", f"Auto Scaling refuses: {instance} is no member")
        return
    stage.world.admin.autoscaling.set_instance_health(
        InstanceId=instance, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )


def _no_metrics(stage: Stage, beat: Beat) -> None:
    """For `for_s` seconds CloudWatch takes no sample from anyone: the metric pipeline is dead."""
    end = stage.world.kernel.elapsed + beat.for_s
    put = stage.world.metrics.put_metric_data

    def refuse(params: dict[str, Any]) -> dict[str, Any]:
        if stage.world.kernel.elapsed < end:
            raise DeskFault("InternalServiceFault", "The request processing has failed.", 500)
        return put(params)

    stage.world.services["cloudwatch"].operations["PutMetricData"] = refuse


def _deaf(stage: Stage, beat: Beat) -> None:
    """For `for_s` seconds no doorbell reaches the controller: events are lost, the schedule too."""
    kernel, ring = stage.world.kernel, stage.world.ring
    ends = kernel.elapsed + beat.for_s
    stage.world.ring = lambda event: ring(event) if kernel.elapsed >= ends else None


def _kill_handlers(stage: Stage, beat: Beat) -> None:
    """Every running invocation ends where it is, as at a timeout; it is a problem where none runs.

    With `name` or `step` it waits for a call, of this operation, while the slot's operation is in the
    step: the call is not made any more.
    """
    faults = stage.world.gate.faults.before
    waits = " ".join(word for word in (beat.step, beat.name) if word)
    unmet = f"{beat.do} at {beat.s:g} s: no invocation ran{waits and f' and called in {waits}'}"
    stage.unsaid.append(unmet)

    def kill() -> None:
        running = [task for task in stage.world.kernel.tasks if not task.done]
        for task in running:
            task.kill()
        if running and not waits:
            stage.unsaid.remove(unmet)

    def strike(_service: str, operation: str, _params: dict[str, Any]) -> None:
        if beat.name in ("", operation) and (not beat.step or stage.step(beat) == beat.step):
            faults.remove(strike)
            stage.unsaid.remove(unmet)
            stage.note(beat.slot or "cell", "world", f"every running invocation ends where it is ({waits})")
            stage.world.kernel.at(0, kill)
            raise TaskKilled(waits)

    if waits:
        faults.append(strike)
    else:
        kill()


def _reboot(stage: Stage, beat: Beat) -> None:
    """An orderly reboot of the operating system: EC2 says running all the time.

    A machine that is down cannot reboot, and one that was stopped or lost meanwhile does not come back.
    """
    host = stage.host(beat)

    def again() -> None:
        if not host.is_up and host.instance.alive and host.instance.state == "running":
            host.boot()

    if host.is_up:
        host.shut_down()
        stage.world.kernel.at(beat.for_s or 60.0, again)


def _add_slot(stage: Stage, beat: Beat) -> None:
    stage.add(next(one for one in stage.story.later if one.name == beat.slot), is_hooked=True)


def _remove_slot(stage: Stage, beat: Beat) -> None:
    """The group is deleted with its hosts (AWS: DeleteAutoScalingGroup, ForceDelete), and replaces none."""
    group = stage.group(beat)
    group.desired = 0
    del stage.world.autoscaling.groups[group.name]
    for member in list(group.members.values()):
        stage.world.ec2.terminate(member.instance.id)


VERBS: dict[str, Callable[[Stage, Beat], None]] = {
    "die": lambda stage, beat: stage.world.ec2.die(stage.host(beat).instance.id),
    "terminate": lambda stage, beat: stage.world.ec2.terminate(stage.host(beat).instance.id),
    "stop": _stop,
    "impair": lambda stage, beat: stage.world.ec2.impair(stage.host(beat).instance.id),
    "hang-terminate": lambda stage, beat: stage.world.ec2.hang_terminate(stage.host(beat).instance.id),
    "release-terminate": lambda stage, beat: stage.world.ec2.release_terminate(stage.host(beat).instance.id),
    "pico-fails": _sick,
    "pico-heals": _heal,
    "agent-dies": partial(_agent, False),
    "agent-returns": partial(_agent, True),
    "dependency": lambda stage, beat: stage.depend(beat.name, beat.to),
    "mode": _enforce,
    "pause": _pause,
    "deploy": lambda stage, beat: stage.deploy({beat.name: beat.number} if beat.name else {}),
    "desired": owner_verbs.desired,
    "detach": owner_verbs.detach,
    "address": owner_verbs.address_to,
    "cut": partial(_cut, True),
    "join": partial(_cut, False),
    "ring-again": _ring_again,
    "throttle": _throttle,
    "no-capacity": _capacity,
    "tag": owner_verbs.tag,
    "tag-host": owner_verbs.tag_host,
    "add-hook": partial(owner_verbs.hook, True),
    "remove-hook": partial(owner_verbs.hook, False),
    "new-address": owner_verbs.new_address,
    "bad-starts": _bad_starts,
    "table": _table,
    "ask": ask,
    "operator": command,
    "reboot": _reboot,
    "unhealthy": _unhealthy,
    "no-metrics": _no_metrics,
    "deaf": _deaf,
    "kill-handlers": _kill_handlers,
    "add-slot": _add_slot,
    "remove-slot": _remove_slot,
}
"""What a story can let happen; stories/README.md says which argument each takes."""
