"""What the tests of Auto Scaling share: one group, its instances, and real clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from picoha.fakeaws.autoscaling.api import AutoScaling
from picoha.fakeaws.autoscaling.group import Group, GroupMember, LifecycleHook
from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.ec2.instances import Timings
from picoha.fakeaws.scheduler import Scheduler

HOOK = LifecycleHook("picoha-launch", heartbeat_s=900)
NAME = "demo-platform1"


class Rig:
    """One group `demo-platform1`, its instances, and clients."""

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        self.scheduler = Scheduler(seed)
        self.events: list[tuple[str, dict[str, Any], list[str]]] = []
        self.ec2 = Ec2(self.scheduler, self.emit, Timings(boot_s=25, stop_s=30, terminate_s=20))
        self.scaling = AutoScaling(self.scheduler, self.ec2, self.emit)
        session = fake_session({"ec2": self.ec2, "autoscaling": self.scaling})
        self.client: Any = session.client("autoscaling")
        self.ec2_client: Any = session.client("ec2")
        settings = {"next_private_ips": ["10.0.1.10", "10.0.2.20"]} | settings
        self.group = self.scaling.add(Group(NAME, **settings))

    def emit(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        self.events.append((detail_type, detail, resources))

    def run(self, seconds: float) -> None:
        self.scheduler.run_for(seconds)

    def until(self, holds: Callable[[], bool], seconds: float = 600) -> float:
        """Run until it holds; return how long that took."""
        start = self.scheduler.elapsed
        assert self.scheduler.run_for(seconds, holds)
        return self.scheduler.elapsed - start

    def states(self) -> list[str]:
        return [member.lifecycle for member in self.group.members.values()]

    def member(self, at: int = 0) -> GroupMember:
        return list(self.group.members.values())[at]

    def shown(self) -> Any:
        return self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])["AutoScalingGroups"][0]

    def activities(self) -> Any:
        return self.client.describe_scaling_activities(AutoScalingGroupName=NAME)["Activities"]

    def complete(self, result: str = "CONTINUE", **by: Any) -> None:
        self.client.complete_lifecycle_action(
            AutoScalingGroupName=NAME,
            LifecycleHookName="picoha-launch",
            LifecycleActionResult=result,
            **(by or {"InstanceId": self.member().instance.id}),
        )

    def heartbeat(self, **by: Any) -> None:
        names = {"AutoScalingGroupName": NAME, "LifecycleHookName": "picoha-launch"}
        self.client.record_lifecycle_action_heartbeat(
            **names, **(by or {"InstanceId": self.member().instance.id})
        )

    def sent(self, detail_type: str) -> list[dict[str, Any]]:
        return [detail for kind, detail, _ in self.events if kind == detail_type]


def serving(**settings: Any) -> Rig:
    """A rig whose one member is in service."""
    rig = Rig(**settings)
    rig.until(lambda: rig.states() == ["InService"])
    return rig


def held(**settings: Any) -> Rig:
    """A rig whose one member waits in its launch hook."""
    rig = Rig(hooks=[HOOK], **settings)
    rig.until(lambda: rig.states() == ["Pending:Wait"])
    return rig


def refused(call: Callable[..., Any], text: str, **params: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert text in caught.value.response["Error"]["Message"]
