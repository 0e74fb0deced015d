"""Auto Scaling in memory: launch hooks."""

from __future__ import annotations

import pytest

from picoha.fakeaws.autoscaling.group import LifecycleHook
from unit.fakeaws.autoscaling.scaling_rig import HOOK, NAME, Rig, held, refused


def test_a_launch_waits_for_its_hook_and_serves_after_continue() -> None:
    """AWS Auto Scaling guide: lifecycle hooks."""
    rig = held()
    rig.run(300)
    assert rig.states() == ["Pending:Wait"]
    rig.complete()
    assert rig.states() == ["Pending:Proceed"]
    rig.run(2)
    assert rig.states() == ["InService"]
    (detail,) = rig.sent("EC2 Instance-launch Lifecycle Action")
    assert detail["EC2InstanceId"] == rig.member().instance.id
    assert detail["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert "Origin" not in detail
    (done,) = rig.sent("EC2 Instance Launch Successful")
    assert (done["StatusCode"], done["EC2InstanceId"]) == ("InProgress", rig.member().instance.id)
    assert rig.events[-1][2][0].endswith(f"autoScalingGroupName/{NAME}")


def test_a_hook_may_be_completed_by_the_token_of_its_event() -> None:
    """Auto Scaling API reference, CompleteLifecycleAction: token or instance id."""
    rig = held()
    token = rig.sent("EC2 Instance-launch Lifecycle Action")[0]["LifecycleActionToken"]
    refused(rig.complete, "No active Lifecycle Action found with token", LifecycleActionToken="f" * 36)
    rig.complete(LifecycleActionToken=token)
    assert rig.states() == ["Pending:Proceed"]


def test_completing_when_nothing_waits_is_a_validation_error() -> None:
    """Auto Scaling API reference, CompleteLifecycleAction: No active Lifecycle Action found."""
    rig = held()
    instance_id = rig.member().instance.id
    rig.complete()
    message = f"No active Lifecycle Action found with instance ID {instance_id}"
    refused(rig.complete, message, InstanceId=instance_id)
    refused(rig.heartbeat, message, InstanceId=instance_id)
    refused(rig.complete, "neither CONTINUE nor ABANDON", result="PROCEED")


@pytest.mark.parametrize(("default", "after"), [("ABANDON", "replaced"), ("CONTINUE", "serves")])
def test_a_heartbeat_timeout_ends_in_the_hooks_default_result(default: str, after: str) -> None:
    """AWS Auto Scaling guide, lifecycle hooks: HeartbeatTimeout, DefaultResult."""
    rig = Rig(hooks=[LifecycleHook("picoha-launch", heartbeat_s=60, default_result=default)])
    rig.until(lambda: rig.states() == ["Pending:Wait"])
    first = rig.member().instance
    rig.run(59)
    assert rig.states() == ["Pending:Wait"]
    rig.run(3)
    assert (first.state == "running") is (after == "serves")
    if after == "serves":
        assert rig.states() == ["InService"]
    else:
        rig.until(lambda: rig.states() == ["Pending:Wait"] and rig.member().instance is not first)
        failed = next(row for row in rig.activities() if row["StatusCode"] == "Cancelled")
        assert "Heartbeat Timeout" in failed["StatusMessage"]
        assert failed["Description"] == f"Launching a new EC2 instance: {first.id}"


def test_heartbeats_extend_the_wait_up_to_a_hundred_heartbeats() -> None:
    """AWS Auto Scaling guide, lifecycle hooks: 48 h or 100 heartbeats, whichever is less."""
    rig = Rig(hooks=[LifecycleHook("picoha-launch", heartbeat_s=30)])
    rig.until(lambda: rig.states() == ["Pending:Wait"])
    began, first = rig.scheduler.elapsed, rig.member().instance
    while rig.states() == ["Pending:Wait"] and rig.scheduler.elapsed < began + 4000:
        rig.heartbeat()
        rig.run(15)
    assert first.state == "shutting-down"
    assert began + 3000 <= rig.scheduler.elapsed <= began + 3015


def test_the_longest_wait_of_a_long_heartbeat_is_48_hours() -> None:
    """AWS Auto Scaling guide: lifecycle hooks; shown as GlobalTimeout."""
    rig = Rig(hooks=[LifecycleHook("picoha-launch", heartbeat_s=7200), HOOK])
    hooks = rig.client.describe_lifecycle_hooks(AutoScalingGroupName=NAME)["LifecycleHooks"]
    assert [hook["GlobalTimeout"] for hook in hooks] == [172_800, 90_000]
    assert hooks[1]["DefaultResult"] == "ABANDON"


def test_abandon_terminates_and_replaces_ever_more_slowly() -> None:
    """AWS Auto Scaling guide, lifecycle hooks: launches slow down when hooks keep failing."""
    rig = held()
    waits = []
    for _ in range(3):
        first = rig.member().instance
        rig.complete("ABANDON")
        assert first.state == "shutting-down"
        at = rig.scheduler.elapsed
        rig.until(lambda old=first: rig.states() == ["Pending:Wait"] and rig.member().instance is not old)  # type: ignore[misc]  # a lambda with a default
        waits.append(rig.scheduler.elapsed - at)
    assert waits[0] < waits[1] < waits[2]
    assert len(rig.sent("EC2 Instance Launch Unsuccessful")) == 3


def test_an_instance_that_ends_in_its_launch_hook_stays_until_the_hook_ends() -> None:
    """AWS Auto Scaling guide: health checks begin when an instance is in service."""
    rig = held()
    rig.ec2.terminate(rig.member().instance.id)
    rig.run(600)
    assert rig.states() == ["Pending:Wait"]
    rig.complete("ABANDON")
    rig.until(lambda: rig.states() == ["Pending:Wait"] and rig.member().instance.state == "running")


def test_a_dead_launch_that_is_continued_serves_until_health_checks_see_it() -> None:
    """AWS Auto Scaling guide: health checks."""
    rig = held()
    dead = rig.member().instance
    rig.ec2.terminate(dead.id)
    rig.run(600)
    rig.complete()
    rig.until(lambda: rig.states() == ["Pending:Wait"] and rig.member().instance is not dead)
    assert "terminated or stopped" in rig.activities()[1]["Cause"]


def test_two_launch_hooks_are_both_waited_for() -> None:
    """AWS Auto Scaling guide: several hooks of one transition."""
    rig = Rig(hooks=[HOOK, LifecycleHook("other")])
    rig.until(lambda: rig.states() == ["Pending:Wait"])
    rig.complete()
    rig.run(10)
    assert rig.states() == ["Pending:Wait"]
    rig.client.complete_lifecycle_action(
        AutoScalingGroupName=NAME,
        LifecycleHookName="other",
        LifecycleActionResult="CONTINUE",
        InstanceId=rig.member().instance.id,
    )
    rig.run(2)
    assert rig.states() == ["InService"]
