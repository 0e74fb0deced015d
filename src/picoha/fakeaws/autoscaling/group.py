"""What an Auto Scaling group in memory is made of, and how AWS shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from json import dumps
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer
from picoha.fakeaws.ec2.instances import Instance

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
_SIZING = ("Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy", "AZRebalance", "InstanceRefresh")
PROCESSES = (*_SIZING, "AddToLoadBalancer", "AlarmNotification", "ScheduledActions")
READY = ("InService", "Warmed:Stopped", "Warmed:Running")


def iso(at: datetime) -> str:
    """Return an instant as EventBridge writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class LifecycleHook:
    """A lifecycle hook; defaults are PutLifecycleHook's."""

    name: str
    transition: str = LAUNCHING
    heartbeat_s: int = 3600
    default_result: str = "ABANDON"
    metadata: str | None = None

    @property
    def cap_s(self) -> int:
        """The longest wait, heartbeats included: 48 h or 100 heartbeats (AWS user guide, lifecycle hooks)."""
        return min(172_800, 100 * self.heartbeat_s)

    def shown(self, group: str) -> Answer:
        """Return the hook as DescribeLifecycleHooks shows it."""
        row: Answer = {
            "AutoScalingGroupName": group,
            "LifecycleHookName": self.name,
            "LifecycleTransition": self.transition,
            "HeartbeatTimeout": self.heartbeat_s,
            "GlobalTimeout": self.cap_s,
            "DefaultResult": self.default_result,
        }
        return row | ({"NotificationMetadata": self.metadata} if self.metadata else {})


@dataclass(frozen=True)
class GroupWarmPool:
    """A warm pool without reuse on scale-in; `state` is Stopped or Running."""

    min_size: int = 0
    state: str = "Stopped"

    def shown(self) -> Answer:
        """Return the pool as Describe calls show its configuration."""
        reuse = {"ReuseOnScaleIn": False}
        return {"MinSize": self.min_size, "PoolState": self.state, "InstanceReusePolicy": reuse}


@dataclass(eq=False)
class Action:
    """One wait for one hook; times are the kernel's elapsed seconds."""

    token: str
    hook: LifecycleHook
    started: float
    deadline: float

    def event_detail(self, group: Group, member: GroupMember) -> Answer:
        """Return its event's detail; Origin and Destination only where there is a warm pool."""
        detail = {
            "LifecycleActionToken": self.token,
            "AutoScalingGroupName": group.name,
            "LifecycleHookName": self.hook.name,
            "EC2InstanceId": member.instance.id,
            "LifecycleTransition": self.hook.transition,
        }
        if self.hook.metadata:
            detail["NotificationMetadata"] = self.hook.metadata
        if group.warm_pool:
            place = "WarmPool" if member.warm else "AutoScalingGroup"
            entering = ("WarmPool" if member.from_pool else "EC2", place)
            detail["Origin"], detail["Destination"] = (place, "EC2") if member.leaving else entering
        return detail


@dataclass(eq=False)
class ScalingActivity:
    """One scaling activity."""

    id: str
    group: Group
    description: str
    cause: str
    instance: Instance | None
    started_at: datetime
    status: str = "InProgress"
    message: str = ""
    ended_at: datetime | None = None

    @property
    def details(self) -> dict[str, str]:
        """Where the instance is."""
        place = self.instance
        return {"Subnet ID": place.subnet_id, "Availability Zone": place.zone} if place else {}

    def shown(self) -> Answer:
        """Return the activity as DescribeScalingActivities shows it."""
        row: Answer = {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group.name,
            "AutoScalingGroupARN": self.group.arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.started_at,
            "StatusCode": self.status,
            "Progress": 100 if self.ended_at else 50,
            "Details": dumps(self.details),
        }
        row |= {"StatusMessage": self.message} if self.message else {}
        return row | ({"EndTime": self.ended_at} if self.ended_at else {})

    def resources(self) -> list[str]:
        """Return the ARNs its event names."""
        return [self.group.arn] + ([self.instance.arn] if self.instance else [])

    def event_detail(self) -> Answer:
        """Return the detail of its event; AWS's documented sample of success says InProgress."""
        return {
            "StatusCode": "InProgress" if self.status == "Successful" else "Failed",
            "StatusMessage": self.message,
            "AutoScalingGroupName": self.group.name,
            "ActivityId": self.id,
            "Details": self.details,
            "RequestId": self.id,
            "StartTime": iso(self.started_at),
            "EndTime": iso(self.ended_at or self.started_at),
            "EC2InstanceId": self.instance.id if self.instance else "",
            "Cause": self.cause,
            "Description": self.description,
        }


@dataclass(eq=False)
class GroupMember:
    """An instance of a group or of its warm pool.

    `notice_at`: when health checks notice the last change of the instance's EC2 state.
    """

    instance: Instance
    lifecycle: str
    launch: ScalingActivity | None = None
    end: ScalingActivity | None = None
    from_pool: bool = False
    health: str = "Healthy"
    illness: str = ""
    notice_at: float = 0.0
    in_service_at: float = 0.0
    actions: dict[str, Action] = field(default_factory=dict)

    @property
    def warm(self) -> bool:
        """True while it belongs to the warm pool."""
        return self.lifecycle.startswith("Warmed:")

    @property
    def leaving(self) -> bool:
        """True once its termination has begun."""
        return "Terminating" in self.lifecycle

    def shown(self) -> Answer:
        """Return the member as group and pool describes show it."""
        return {
            "InstanceId": self.instance.id,
            "InstanceType": "m6i.large",
            "AvailabilityZone": self.instance.zone,
            "LifecycleState": self.lifecycle,
            "HealthStatus": self.health,
            "ProtectedFromScaleIn": False,
        }


@dataclass(eq=False)
class Group:
    """One Auto Scaling group.

    `subnets` are (zone, subnet id), used in turn; `next_private_ips` are given to launches in
    order, then EC2 chooses; tags named in `local_tags` have PropagateAtLaunch false;
    `maintenance` is (min, max) healthy percent; `launch_failures` launches will find no capacity.
    """

    name: str
    min_size: int = 1
    max_size: int = 1
    desired: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    local_tags: frozenset[str] = frozenset()
    subnets: tuple[tuple[str, str], ...] = ((f"{REGION}a", "subnet-0a"),)
    next_private_ips: list[str] = field(default_factory=list)
    hooks: list[LifecycleHook] = field(default_factory=list)
    warm_pool: GroupWarmPool | None = None
    maintenance: tuple[int, int] | None = (0, 100)
    grace_s: int = 0
    suspended: set[str] = field(default_factory=set)
    launch_failures: int = 0
    created_at: datetime | None = None
    launches: int = 0
    failures_in_row: int = 0
    retry_at: float = 0.0
    members: dict[str, GroupMember] = field(default_factory=dict)
    activities: list[ScalingActivity] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The group's ARN, as events name it."""
        start = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup"
        return f"{start}:00000000-0000-4000-8000-000000000000:autoScalingGroupName/{self.name}"

    def launch_tags(self) -> dict[str, str]:
        """Return the tags a new instance gets."""
        given = {key: value for key, value in self.tags.items() if key not in self.local_tags}
        return given | {"aws:autoscaling:groupName": self.name}

    def shown(self) -> Answer:
        """Return the group as DescribeAutoScalingGroups shows it: without the warm pool's members."""
        row: Answer = {
            "AutoScalingGroupName": self.name,
            "AutoScalingGroupARN": self.arn,
            "MinSize": self.min_size,
            "MaxSize": self.max_size,
            "DesiredCapacity": self.desired,
            "DefaultCooldown": 300,
            "AvailabilityZones": sorted({zone for zone, _ in self.subnets}),
            "VPCZoneIdentifier": ",".join(subnet for _, subnet in self.subnets),
            "HealthCheckType": "EC2",
            "HealthCheckGracePeriod": self.grace_s,
            "CreatedTime": self.created_at,
            "Instances": [member.shown() for member in self.members.values() if not member.warm],
            "SuspendedProcesses": [
                {"ProcessName": one, "SuspensionReason": "User suspended"} for one in sorted(self.suspended)
            ],
            "Tags": [self._tag(key, value) for key, value in sorted(self.tags.items())],
        }
        if self.maintenance:
            low, high = self.maintenance
            row["InstanceMaintenancePolicy"] = {"MinHealthyPercentage": low, "MaxHealthyPercentage": high}
        if self.warm_pool:
            row["WarmPoolConfiguration"] = self.warm_pool.shown()
            row["WarmPoolSize"] = sum(member.warm for member in self.members.values())
        return row

    def _tag(self, key: str, value: str) -> dict[str, Any]:
        propagate = key not in self.local_tags
        owner = {"ResourceId": self.name, "ResourceType": "auto-scaling-group"}
        return owner | {"Key": key, "Value": value, "PropagateAtLaunch": propagate}
