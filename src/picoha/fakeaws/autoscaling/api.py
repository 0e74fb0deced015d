"""Auto Scaling's calls, answered from fakeaws' groups (EC2 Auto Scaling API reference)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from picoha.fakeaws.autoscaling.group import PROCESSES, READY, Action, Group, GroupMember
from picoha.fakeaws.autoscaling.lifecycle import CUSTOM, ScalingLife
from picoha.fakeaws.clients import Answer, NotPlayed, Operation, matches, page, played
from picoha.fakeaws.scheduler import AwsFault


def _invalid(message: str) -> AwsFault:
    return AwsFault("ValidationError", message)


class AutoScaling(ScalingLife):
    """Auto Scaling in memory: inherited methods are the story's hand, `operations` what clients reach."""

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """What Auto Scaling answers."""
        return played(self)

    def _group(self, params: dict[str, Any]) -> Group:
        name = params["AutoScalingGroupName"]
        if name not in self.groups:
            raise _invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
        return self.groups[name]

    # --- describes

    def _api_describe_auto_scaling_groups(self, params: dict[str, Any]) -> Answer:
        names = params.get("AutoScalingGroupNames")
        rows = [
            group.shown()
            for group in self.groups.values()
            if (not names or group.name in names) and matches(params, group.tags, {})
        ]
        return page(rows, params, "AutoScalingGroups", "MaxRecords", 50)

    def _api_describe_auto_scaling_instances(self, params: dict[str, Any]) -> Answer:
        """Members of groups and pools; this call shows health in capitals."""
        ids = params.get("InstanceIds")
        rows = [
            member.shown() | {"AutoScalingGroupName": group.name, "HealthStatus": member.health.upper()}
            for group in self.groups.values()
            for member in group.members.values()
            if not ids or member.instance.id in ids
        ]
        return page(rows, params, "AutoScalingInstances", "MaxRecords", 50)

    def _api_describe_warm_pool(self, params: dict[str, Any]) -> Answer:
        group = self._group(params)
        rows = [member.shown() for member in group.members.values() if member.warm]
        answer = page(rows, params, "Instances", "MaxRecords", 50)
        return answer | ({"WarmPoolConfiguration": group.warm_pool.shown()} if group.warm_pool else {})

    def _api_describe_lifecycle_hooks(self, params: dict[str, Any]) -> Answer:
        group, names = self._group(params), params.get("LifecycleHookNames")
        hooks = [hook for hook in group.hooks if not names or hook.name in names]
        return {"LifecycleHooks": [hook.shown(group.name) for hook in hooks]}

    def _api_describe_scaling_activities(self, params: dict[str, Any]) -> Answer:
        ids = params.get("ActivityIds")
        groups = [self._group(params)] if "AutoScalingGroupName" in params else self.groups.values()
        found = [
            activity for group in groups for activity in group.activities if not ids or activity.id in ids
        ]
        found.sort(key=lambda one: one.started_at, reverse=True)
        return page([one.shown() for one in found], params, "Activities", "MaxRecords", 100)

    # --- health and hooks

    def _api_set_instance_health(self, params: dict[str, Any]) -> Answer:
        found = self.member(params["InstanceId"])
        if found is None:
            asked = params["InstanceId"]
            raise _invalid(f"Instance Id not found - No managed instance found for instance ID: {asked}")
        group, member = found
        graceful = params.get("ShouldRespectGracePeriod", True)
        young = self.scheduler.elapsed < member.in_service_at + group.grace_s
        if not (graceful and young and params["HealthStatus"] == "Unhealthy"):
            member.health, member.illness = params["HealthStatus"], CUSTOM
            self.scheduler.at(0, lambda: self.balance(group))
        return {}

    def _action(self, params: dict[str, Any]) -> tuple[Group, GroupMember, Action]:
        """The wait that is meant, by token or by instance."""
        group, hook = self._group(params), params["LifecycleHookName"]
        token, asked = params.get("LifecycleActionToken"), params.get("InstanceId")
        for member in group.members.values():
            action = member.actions.get(hook)
            if action and (action.token == token if token else member.instance.id == asked):
                return group, member, action
        key = f"token {token}" if token else f"instance ID {asked}"
        raise _invalid(f"No active Lifecycle Action found with {key}")

    def _api_complete_lifecycle_action(self, params: dict[str, Any]) -> Answer:
        result = params["LifecycleActionResult"]
        if result not in ("CONTINUE", "ABANDON"):
            raise _invalid(f"Lifecycle action result '{result}' is neither CONTINUE nor ABANDON")
        self.complete(*self._action(params), result, "by user")
        return {}

    def _api_record_lifecycle_action_heartbeat(self, params: dict[str, Any]) -> Answer:
        group, member, action = self._action(params)
        end = action.started + action.hook.cap_s
        action.deadline = min(self.scheduler.elapsed + action.hook.heartbeat_s, end)
        self.arm(group, member, action)
        return {}

    # --- sizes and processes

    def _api_set_desired_capacity(self, params: dict[str, Any]) -> Answer:
        group, wanted = self._group(params), params["DesiredCapacity"]
        self._resize(group, group.min_size, group.max_size, wanted)
        return {}

    def _api_update_auto_scaling_group(self, params: dict[str, Any]) -> Answer:
        group = self._group(params)
        if extra := set(params) - {"AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity"}:
            raise NotPlayed(f"fakeaws does not update {sorted(extra)} of a group")
        low, high = params.get("MinSize", group.min_size), params.get("MaxSize", group.max_size)
        self._resize(group, low, high, params.get("DesiredCapacity", max(low, min(high, group.desired))))
        return {}

    def _resize(self, group: Group, low: int, high: int, desired: int) -> None:
        if low > high:
            raise _invalid(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
        if desired > high:
            raise _invalid(f"Desired capacity {desired} is above max value {high} for the AutoScalingGroup.")
        if desired < low:
            raise _invalid(f"Desired capacity {desired} is below min value {low} for the AutoScalingGroup.")
        group.min_size, group.max_size, group.desired = low, high, desired
        self.scheduler.at(0, lambda: self.balance(group))

    def _processes(self, params: dict[str, Any]) -> tuple[Group, set[str]]:
        asked = set(params.get("ScalingProcesses") or PROCESSES)
        if unknown := asked - set(PROCESSES):
            raise _invalid(f"Invalid scaling process name: {sorted(unknown)}")
        return self._group(params), asked

    def _api_suspend_processes(self, params: dict[str, Any]) -> Answer:
        group, asked = self._processes(params)
        group.suspended |= asked
        return {}

    def _api_resume_processes(self, params: dict[str, Any]) -> Answer:
        group, asked = self._processes(params)
        group.suspended -= asked
        self.scheduler.at(0, lambda: self.balance(group))
        return {}

    # --- members by hand

    def _api_attach_instances(self, params: dict[str, Any]) -> Answer:
        group = self._group(params)
        found = [self.ec2.get(one) for one in params.get("InstanceIds", [])]
        if unfit := [one.id for one in found if one.state != "running" or self.member(one.id)]:
            raise _invalid(f"Instances {unfit} are not running, or are in an AutoScalingGroup already")
        self._resize(group, group.min_size, group.max_size, group.desired + len(found))
        for one in found:
            one.tags["aws:autoscaling:groupName"] = group.name
            text = f"Attaching an existing EC2 instance: {one.id}"
            member = GroupMember(one, "Pending", self.activity(group, text, "an instance was attached", one))
            group.members[one.id] = member
            self._arrive(group, member)
        return {}

    def _api_detach_instances(self, params: dict[str, Any]) -> Answer:
        group, asked = self._group(params), params.get("InstanceIds", [])
        for one in asked:
            if one not in group.members or group.members[one].lifecycle not in READY:
                raise _invalid(f"The instance {one} is not part of Auto Scaling group {group.name}.")
        if params["ShouldDecrementDesiredCapacity"]:
            self._resize(group, group.min_size, group.max_size, group.desired - len(asked))
        rows = []
        for gone in [group.members.pop(one).instance for one in asked]:
            gone.tags.pop("aws:autoscaling:groupName", None)
            text = f"Detaching EC2 instance: {gone.id}"
            done = self.activity(group, text, "an instance was detached", gone)
            done.status, done.ended_at = "Successful", self.scheduler.now
            rows.append(done.shown())
        self.scheduler.at(0, lambda: self.balance(group))
        return {"Activities": rows}
