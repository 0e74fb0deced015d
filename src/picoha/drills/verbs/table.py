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
from picoha.drills.setup import Setup
from picoha.drills.story import Beat
from picoha.drills.verbs import owner as owner_verbs
from picoha.drills.verbs.operator import ask, command
from picoha.fakeaws.scheduler import AwsFault, TaskKilled


def schedule(setup: Setup) -> None:
    """Let every beat happen at its second."""
    for beat in setup.story.at:
        _check(beat)
        setup.world.scheduler.at(beat.s, partial(_play, setup, beat))


def _check(beat: Beat) -> None:
    """Refuse a beat that cannot be played, before anything is; raises SettingsInvalid."""
    if beat.do not in VERBS:
        raise SettingsInvalid(f"the story does {beat.do!r}; the drill knows {', '.join(sorted(VERBS))}")
    if not beat.slot and beat.do not in OF_THE_CELL:
        raise SettingsInvalid(f"{beat.do} at {beat.s:g} s needs a slot")
    if beat.do == "mode" and beat.to not in list(Mode):
        raise SettingsInvalid(f"mode at {beat.s:g} s: to is {beat.to!r}, not {' or '.join(Mode)}")
    if beat.do == "ask" and beat.name not in list(RequestVerb):
        raise SettingsInvalid(f"ask at {beat.s:g} s: name is {beat.name!r}, not {', '.join(RequestVerb)}")
    if beat.step and (beat.step not in list(Step) or not beat.slot):
        raise SettingsInvalid(f"{beat.do} at {beat.s:g} s: step is one of {', '.join(Step)}, of a slot")


def _play(setup: Setup, beat: Beat) -> None:
    kind, text = SAID.get(beat.do, ("world", beat.do.replace("-", " ")))
    words = (text, beat.pico or beat.name, beat.to, beat.step)
    setup.note(beat.slot or "cell", kind, " ".join(word for word in words if word))
    VERBS[beat.do](setup, beat)


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


def _pause(setup: Setup, beat: Beat) -> None:
    """Pause the slot, or the cell, for `for_s` seconds; 0 ends the pause now."""
    now = setup.world.scheduler.now
    key = beat.slot or "*"
    pauses = {name: one for name, one in setup.mode.pauses.items() if name != key}
    if beat.for_s:
        pauses[key] = Pause("story", "story", now, now + timedelta(seconds=beat.for_s))
    setup.set_mode(replace(setup.mode, pauses=pauses))


def _enforce(setup: Setup, beat: Beat) -> None:
    """Change the cell's mode."""
    setup.set_mode(replace(setup.mode, mode=Mode(beat.to)))
    setup.world.owners_start = beat.to == "observe"


def _throttle(setup: Setup, beat: Beat) -> None:
    """Let every call of an operation be throttled for `for_s` seconds."""
    end = setup.world.scheduler.elapsed + beat.for_s

    def refuse(_service: str, operation: str, _params: dict[str, Any]) -> None:
        if operation == beat.name and setup.world.scheduler.elapsed < end:
            raise AwsFault("RequestLimitExceeded", "Request limit exceeded.", 503)

    setup.world.gate.faults.before.append(refuse)


def _table(setup: Setup, beat: Beat) -> None:
    """Keep a backup of the table, or restore it."""
    if beat.to == "backup":
        setup.backup = setup.world.table.snapshot()
    else:
        setup.world.table.restore(setup.backup)


def _stop(setup: Setup, beat: Beat) -> None:
    """Somebody stops the host by hand; EC2 refuses that while it does not run, and nothing happens."""
    instance = setup.host(beat).instance
    if instance.state == "running":
        setup.world.ec2.stop(instance.id)
    else:
        setup.note(beat.slot, "world", f"EC2 refuses: {instance.id} is {instance.state}")


def _sick(setup: Setup, beat: Beat) -> None:
    host = setup.host(beat)
    host.sick[beat.pico] = 100 if beat.code is None else beat.code


def _heal(setup: Setup, beat: Beat) -> None:
    setup.host(beat).sick.pop(beat.pico, None)


def _agent(is_up: bool, setup: Setup, beat: Beat) -> None:
    setup.host(beat).is_agent_up = is_up


def _cut(is_cut: bool, setup: Setup, beat: Beat) -> None:
    host = setup.host(beat).instance.id
    if beat.to == AWS:
        pair = (host, AWS)
    else:
        pair = ("*" if not beat.to else setup.world.holder(beat.to).instance.id, host)
    (setup.world.network.blocked.add if is_cut else setup.world.network.blocked.discard)(pair)


def _ring_again(setup: Setup, beat: Beat) -> None:
    setup.world.admin.cloudwatch.set_alarm_state(
        AlarmName=f"picoha-{setup.story.cell.name}-{beat.slot}", StateValue="OK", StateReason="story"
    )
    setup.world.admin.cloudwatch.set_alarm_state(
        AlarmName=f"picoha-{setup.story.cell.name}-{beat.slot}", StateValue="ALARM", StateReason="story"
    )


def _capacity(setup: Setup, beat: Beat) -> None:
    setup.group(beat).launch_failures = beat.number


def _bad_starts(setup: Setup, beat: Beat) -> None:
    setup.world.bad_starts[beat.slot] = (beat.code or 0, beat.to)


def _unhealthy(setup: Setup, beat: Beat) -> None:
    """Somebody else calls the host unhealthy: Auto Scaling replaces it on its own, if it is a member."""
    instance = setup.host(beat).instance.id
    if setup.world.autoscaling.member(instance) is None:
        setup.note(beat.slot, "world", f"Auto Scaling refuses: {instance} is no member")
        return
    setup.world.admin.autoscaling.set_instance_health(
        InstanceId=instance, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )


def _no_metrics(setup: Setup, beat: Beat) -> None:
    """For `for_s` seconds CloudWatch takes no sample from anyone: the metric pipeline is dead."""
    end = setup.world.scheduler.elapsed + beat.for_s
    put = setup.world.metrics.put_metric_data

    def refuse(params: dict[str, Any]) -> dict[str, Any]:
        if setup.world.scheduler.elapsed < end:
            raise AwsFault("InternalServiceFault", "The request processing has failed.", 500)
        return put(params)

    setup.world.services["cloudwatch"].operations["PutMetricData"] = refuse


def _deaf(setup: Setup, beat: Beat) -> None:
    """For `for_s` seconds no doorbell reaches the controller: events are lost, the schedule too."""
    scheduler, ring = setup.world.scheduler, setup.world.ring
    ends = scheduler.elapsed + beat.for_s
    setup.world.ring = lambda event: ring(event) if scheduler.elapsed >= ends else None


def _kill_handlers(setup: Setup, beat: Beat) -> None:
    """Every running invocation ends where it is, as at a timeout; it is a problem where none runs.

    With `name` or `step` it waits for a call, of this operation, while the slot's operation is in the
    step: the call is not made any more.
    """
    faults = setup.world.gate.faults.before
    waits = " ".join(word for word in (beat.step, beat.name) if word)
    unmet = f"{beat.do} at {beat.s:g} s: no invocation ran{waits and f' and called in {waits}'}"
    setup.unsaid.append(unmet)

    def kill() -> None:
        running = [task for task in setup.world.scheduler.tasks if not task.done]
        for task in running:
            task.kill()
        if running and not waits:
            setup.unsaid.remove(unmet)

    def strike(_service: str, operation: str, _params: dict[str, Any]) -> None:
        if beat.name in ("", operation) and (not beat.step or setup.step(beat) == beat.step):
            faults.remove(strike)
            setup.unsaid.remove(unmet)
            setup.note(beat.slot or "cell", "world", f"every running invocation ends where it is ({waits})")
            setup.world.scheduler.at(0, kill)
            raise TaskKilled(waits)

    if waits:
        faults.append(strike)
    else:
        kill()


def _reboot(setup: Setup, beat: Beat) -> None:
    """An orderly reboot of the operating system: EC2 says running all the time.

    A machine that is down cannot reboot, and one that was stopped or lost meanwhile does not come back.
    """
    host = setup.host(beat)

    def again() -> None:
        if not host.is_up and host.instance.alive and host.instance.state == "running":
            host.boot()

    if host.is_up:
        host.shut_down()
        setup.world.scheduler.at(beat.for_s or 60.0, again)


def _add_slot(setup: Setup, beat: Beat) -> None:
    setup.add(next(one for one in setup.story.later if one.name == beat.slot), is_hooked=True)


def _remove_slot(setup: Setup, beat: Beat) -> None:
    """The group is deleted with its hosts (AWS: DeleteAutoScalingGroup, ForceDelete), and replaces none."""
    group = setup.group(beat)
    group.desired = 0
    del setup.world.autoscaling.groups[group.name]
    for member in list(group.members.values()):
        setup.world.ec2.terminate(member.instance.id)


VERBS: dict[str, Callable[[Setup, Beat], None]] = {
    "die": lambda setup, beat: setup.world.ec2.die(setup.host(beat).instance.id),
    "terminate": lambda setup, beat: setup.world.ec2.terminate(setup.host(beat).instance.id),
    "stop": _stop,
    "impair": lambda setup, beat: setup.world.ec2.impair(setup.host(beat).instance.id),
    "hang-terminate": lambda setup, beat: setup.world.ec2.hang_terminate(setup.host(beat).instance.id),
    "release-terminate": lambda setup, beat: setup.world.ec2.release_terminate(setup.host(beat).instance.id),
    "pico-fails": _sick,
    "pico-heals": _heal,
    "agent-dies": partial(_agent, False),
    "agent-returns": partial(_agent, True),
    "dependency": lambda setup, beat: setup.depend(beat.name, beat.to),
    "mode": _enforce,
    "pause": _pause,
    "deploy": lambda setup, beat: setup.deploy({beat.name: beat.number} if beat.name else {}),
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
