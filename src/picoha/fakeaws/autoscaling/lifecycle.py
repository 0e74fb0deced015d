"""The life of Auto Scaling groups: launch, wait for hooks, serve, fall ill, be replaced, end.

Rules are the EC2 Auto Scaling user guide's (instance lifecycle, lifecycle hooks, health checks,
warm pools, suspended processes); durations are a story's settings, not facts about AWS.
"""

from __future__ import annotations

import itertools

from picoha.fakeaws.autoscaling.group import (
    LAUNCHING,
    READY,
    TERMINATING,
    Action,
    Group,
    GroupMember,
    ScalingActivity,
    iso,
)
from picoha.fakeaws.clients import Emit
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.ec2.instances import ENDING, Instance, no_event
from picoha.fakeaws.scheduler import Scheduler

PROCEED_S = 1.0
POLL_S = 5.0
BACKOFF_S, BACKOFF_MAX_S = 15.0, 300.0
NOT_RUNNING = "an EC2 health check indicating it has been terminated or stopped"
IMPAIRED = "EC2 instance status checks failure"
CUSTOM = "a user health-check"
TAKEN_OUT = "an instance was taken out of service in response to"
DIFFERENCE = "a difference between desired and actual capacity"


class ScalingLife:
    """All groups and the machine that moves their members.

    `detect_s`: the least and most seconds until an EC2 state change is noticed;
    `impaired_after_s`: how long status checks may fail before a member counts as unhealthy.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        ec2: Ec2,
        emit: Emit = no_event,
        detect_s: tuple[float, float] = (1.0, 10.0),
        impaired_after_s: float = 180.0,
    ) -> None:
        self.scheduler = scheduler
        self.ec2 = ec2
        self.detect_s = detect_s
        self.impaired_after_s = impaired_after_s
        self.groups: dict[str, Group] = {}
        self._emit = emit
        self._numbers = itertools.count(1)
        ec2.on_state.append(self._on_state)
        scheduler.every(POLL_S, self._look)

    def add(self, group: Group) -> Group:
        """Create a group; its first launches begin at once."""
        group.created_at = self.scheduler.now
        self.groups[group.name] = group
        self.scheduler.at(0, lambda: self.balance(group))
        return group

    def member(self, instance_id: str) -> tuple[Group, GroupMember] | None:
        """Return the group and member of an instance."""
        for group in self.groups.values():
            if instance_id in group.members:
                return group, group.members[instance_id]
        return None

    # --- noticing

    def _look(self) -> None:
        for group in self.groups.values():
            self.balance(group)

    def _on_state(self, instance: Instance, old: str, new: str) -> None:
        found = self.member(instance.id)
        if found is None:
            return
        group, member = found
        delay = self.scheduler.random.uniform(*self.detect_s)
        member.notice_at = self.scheduler.elapsed + delay
        self.scheduler.at(delay, lambda: self.balance(group))
        if new == "terminated" and member.leaving and not member.lifecycle.endswith(":Wait"):
            self._gone(group, member)
        elif new == "running" and member.lifecycle in ("Pending", "Warmed:Pending"):
            self._wait(group, member, LAUNCHING)
        elif new == "stopped" and member.lifecycle == "Warmed:Pending:Proceed":
            self._ready(group, member, "Warmed:Stopped")

    def _illness(self, group: Group, member: GroupMember) -> str:
        """Why health checks would call a ready member unhealthy; empty when they would not."""
        instance, now = member.instance, self.scheduler.elapsed
        expected = "stopped" if member.lifecycle == "Warmed:Stopped" else "running"
        if instance.state != expected:
            return NOT_RUNNING if now >= member.notice_at else ""
        since = instance.impaired_from
        impaired = since is not None and now >= since + self.impaired_after_s
        return IMPAIRED if impaired and now >= member.in_service_at + group.grace_s else ""

    # --- balancing

    def balance(self, group: Group) -> None:
        """Bring a group one step nearer to what it should be; harmless at any time."""
        for member in list(group.members.values()):
            if member.lifecycle in READY and "HealthCheck" not in group.suspended:
                if illness := self._illness(group, member):
                    member.health, member.illness = "Unhealthy", illness
            elif self._lost(member):
                self._fail_launch(group, member, "Failed", "Instance became unhealthy while launching")
        self._replace_unhealthy(group)
        self._match_desired(group)
        self._match_pool(group)

    def _lost(self, member: GroupMember) -> bool:
        """A launch whose instance ended; one held by a hook stays until its hook ends."""
        launching = member.lifecycle in ("Pending", "Warmed:Pending", "Warmed:Pending:Proceed")
        return launching and member.instance.state in ENDING and self.scheduler.elapsed >= member.notice_at

    def _replace_unhealthy(self, group: Group) -> None:
        if group.suspended & {"ReplaceUnhealthy", "Terminate"}:
            return
        for member in list(group.members.values()):
            if member.lifecycle in READY and member.health == "Unhealthy":
                self.retire(group, member, f"{TAKEN_OUT} {member.illness}")

    def _match_desired(self, group: Group) -> None:
        members = [member for member in group.members.values() if not member.warm and not member.leaving]
        self._resize_to(group, members, group.desired, warm=False)

    def _match_pool(self, group: Group) -> None:
        pool = group.warm_pool
        size = max(pool.min_size, group.max_size - group.desired) if pool else 0
        members = [member for member in group.members.values() if member.warm and not member.leaving]
        self._resize_to(group, members, size, warm=True)

    def _resize_to(self, group: Group, members: list[GroupMember], size: int, warm: bool) -> None:
        """Launch what is missing, retire the oldest ready members that are too many."""
        for have in range(len(members), size):
            why = f"an instance was started in response to {DIFFERENCE}, increasing the capacity from {have}"
            if not self._launch(group, f"{why} to {have + 1}", warm):
                return
        for member in [one for one in members if one.lifecycle in READY][: max(0, len(members) - size)]:
            if "Terminate" not in group.suspended:
                self.retire(group, member, f"{TAKEN_OUT} {DIFFERENCE}")

    # --- launching

    def _launch(self, group: Group, why: str, warm: bool) -> bool:
        """Begin one launch, out of the warm pool if it has a ready member; False when it cannot be now."""
        if "Launch" in group.suspended or self.scheduler.elapsed < group.retry_at:
            return False
        pool = [member for member in group.members.values() if member.warm and member.lifecycle in READY]
        if pool and not warm:
            self._take_warm(group, pool[0], why)
            return True
        if group.launch_failures:
            group.launch_failures -= 1
            failed = self.activity(group, "Launching a new EC2 instance", why, None)
            self._end_launch(failed, "Failed", "InsufficientInstanceCapacity: not enough capacity")
            self._slow_down(group)
            return False
        zone, subnet = group.subnets[group.launches % len(group.subnets)]
        group.launches += 1
        ip = group.next_private_ips.pop(0) if group.next_private_ips else None
        instance = self.ec2.launch(ip, zone, subnet, group.launch_tags(), group.launch_tags())
        text = f"Launching a new EC2 instance{' into warm pool' if warm else ''}: {instance.id}"
        begun = self.activity(group, text, why, instance)
        group.members[instance.id] = GroupMember(instance, "Warmed:Pending" if warm else "Pending", begun)
        return True

    def _take_warm(self, group: Group, member: GroupMember, why: str) -> None:
        text = f"Launching a new EC2 instance from warm pool: {member.instance.id}"
        member.launch = self.activity(group, text, why, member.instance)
        member.from_pool, member.lifecycle = True, "Pending"
        if member.instance.state == "stopped":
            self.ec2.start(member.instance.id)
        elif member.instance.state == "running":
            self._wait(group, member, LAUNCHING)

    def _ready(self, group: Group, member: GroupMember, lifecycle: str) -> None:
        member.lifecycle = lifecycle
        member.in_service_at = self.scheduler.elapsed
        group.failures_in_row = 0
        self._end_launch(member.launch, "Successful")
        self.scheduler.at(0, lambda: self.balance(group))

    def _fail_launch(self, group: Group, member: GroupMember, status: str, message: str) -> None:
        self._end_launch(member.launch, status, message)
        self._slow_down(group)
        self.retire(group, member, f"{TAKEN_OUT} {message}")

    def _slow_down(self, group: Group) -> None:
        group.retry_at = self.scheduler.elapsed + min(BACKOFF_MAX_S, BACKOFF_S * 2**group.failures_in_row)
        group.failures_in_row += 1

    # --- ending

    def retire(self, group: Group, member: GroupMember, why: str) -> None:
        """Begin to terminate a member; a lifecycle hook may hold it before EC2 is asked."""
        member.actions.clear()
        text = f"Terminating EC2 instance: {member.instance.id}"
        member.end = self.activity(group, text, why, member.instance)
        member.lifecycle = "Warmed:Terminating" if member.warm else "Terminating"
        self._wait(group, member, TERMINATING)
        self.scheduler.at(0, lambda: self.balance(group))

    def _gone(self, group: Group, member: GroupMember) -> None:
        del group.members[member.instance.id]
        self._end(member.end, "Successful", "", "EC2 Instance Terminate Successful")
        self.scheduler.at(0, lambda: self.balance(group))

    # --- hooks

    def _wait(self, group: Group, member: GroupMember, transition: str) -> None:
        hooks = [hook for hook in group.hooks if hook.transition == transition]
        if not hooks:
            self._arrive(group, member)
            return
        member.lifecycle += ":Wait"
        for hook in hooks:
            now = self.scheduler.elapsed
            action = Action(self._uuid(), hook, now, now + hook.heartbeat_s)
            member.actions[hook.name] = action
            self.arm(group, member, action)
            kind = "launch" if transition == LAUNCHING else "terminate"
            detail = action.event_detail(group, member)
            self._emit("aws.autoscaling", f"EC2 Instance-{kind} Lifecycle Action", detail, [group.arn])

    def arm(self, group: Group, member: GroupMember, action: Action) -> None:
        """Let the action end with the hook's default result when its heartbeat runs out."""

        def expire() -> None:
            waiting = member.actions.get(action.hook.name) is action
            if waiting and self.scheduler.elapsed + 1e-6 >= action.deadline:
                self.complete(group, member, action, action.hook.default_result, "Heartbeat Timeout")

        self.scheduler.at(action.deadline - self.scheduler.elapsed, expire)

    def complete(self, group: Group, member: GroupMember, action: Action, result: str, why: str) -> None:
        """End one wait; any ABANDON ends all, and a launch with it."""
        del member.actions[action.hook.name]
        if result == "ABANDON" and not member.leaving:
            message = f"Lifecycle Action with token {action.token} was abandoned: {why}"
            self._fail_launch(group, member, "Cancelled", message)
        elif result == "ABANDON" or not member.actions:
            member.actions.clear()
            member.lifecycle = member.lifecycle.replace(":Wait", ":Proceed")
            self.scheduler.at(PROCEED_S, lambda: self._arrive(group, member))

    def _arrive(self, group: Group, member: GroupMember) -> None:
        """Go where the waits were on the way to."""
        if group.members.get(member.instance.id) is not member:
            return
        if member.leaving:
            if member.instance.state == "terminated":
                self._gone(group, member)
            else:
                self.ec2.terminate(member.instance.id)
        elif not member.warm:
            self._ready(group, member, "InService")
        elif group.warm_pool and group.warm_pool.state == "Running":
            self._ready(group, member, "Warmed:Running")
        else:
            member.lifecycle = "Warmed:Pending:Proceed"
            if member.instance.state == "running":
                self.ec2.stop(member.instance.id)

    # --- activities

    def activity(
        self, group: Group, description: str, why: str, instance: Instance | None
    ) -> ScalingActivity:
        """Begin an activity, newest first."""
        cause = f"At {iso(self.scheduler.now)} {why}."
        begun = ScalingActivity(self._uuid(), group, description, cause, instance, self.scheduler.now)
        group.activities.insert(0, begun)
        return begun

    def _end_launch(self, activity: ScalingActivity | None, status: str, message: str = "") -> None:
        ended = "Successful" if status == "Successful" else "Unsuccessful"
        self._end(activity, status, message, f"EC2 Instance Launch {ended}")

    def _end(self, activity: ScalingActivity | None, status: str, message: str, detail_type: str) -> None:
        if activity and not activity.ended_at:
            activity.status, activity.message, activity.ended_at = status, message, self.scheduler.now
            self._emit("aws.autoscaling", detail_type, activity.event_detail(), activity.resources())

    def _uuid(self) -> str:
        return f"{next(self._numbers):08d}-0000-4000-8000-000000000000"
