"""Auto Scaling in memory: warm pools."""

from __future__ import annotations

import pytest

from picoha.fakeaws.autoscaling.group import GroupWarmPool, LifecycleHook
from unit.fakeaws.autoscaling.scaling_rig import HOOK, NAME, Rig, serving


def pooled(state: str = "Stopped", hooks: tuple[LifecycleHook, ...] = ()) -> Rig:
    """A rig with a member in service and one ready in the pool."""
    rig = Rig(warm_pool=GroupWarmPool(1, state), hooks=list(hooks))
    rig.until(lambda: rig.states() == ["InService", f"Warmed:{state}"])
    return rig


def test_a_warm_pool_member_is_booted_then_stopped_and_shown_apart() -> None:
    """AWS Auto Scaling guide: warm pools."""
    rig = pooled()
    pool = rig.client.describe_warm_pool(AutoScalingGroupName=NAME)
    assert [instance["LifecycleState"] for instance in pool["Instances"]] == ["Warmed:Stopped"]
    assert pool["WarmPoolConfiguration"]["MinSize"] == 1
    assert pool["WarmPoolConfiguration"]["InstanceReusePolicy"] == {"ReuseOnScaleIn": False}
    assert [instance["LifecycleState"] for instance in rig.shown()["Instances"]] == ["InService"]
    assert rig.shown()["WarmPoolSize"] == 1
    everyone = rig.client.describe_auto_scaling_instances()["AutoScalingInstances"]
    assert [one["LifecycleState"] for one in everyone] == ["InService", "Warmed:Stopped"]


@pytest.mark.parametrize("state", ["Stopped", "Running"])
def test_a_replacement_comes_from_the_warm_pool_which_is_filled_again(state: str) -> None:
    """AWS Auto Scaling guide: warm pools, instance lifecycle."""
    rig = pooled(state)
    standby = rig.member(1).instance
    rig.ec2.terminate(rig.member().instance.id)
    rig.until(lambda: rig.states() == ["InService", f"Warmed:{state}"] and rig.member().instance is standby)
    texts = [row["Description"] for row in rig.activities()]
    assert f"Launching a new EC2 instance from warm pool: {standby.id}" in texts
    assert f"Launching a new EC2 instance into warm pool: {rig.member(1).instance.id}" in texts


def test_the_launch_hook_fires_twice_for_a_standby_with_origin_and_destination() -> None:
    """AWS Auto Scaling guide: warm pools with lifecycle hooks, event examples."""
    rig = Rig(warm_pool=GroupWarmPool(1), hooks=[HOOK])
    rig.until(lambda: rig.states() == ["Pending:Wait", "Warmed:Pending:Wait"])
    standby = rig.member(1).instance
    rig.complete()
    rig.complete(InstanceId=standby.id)
    assert rig.states() == ["Pending:Proceed", "Warmed:Pending:Proceed"]
    rig.until(lambda: rig.states() == ["InService", "Warmed:Stopped"])
    rig.ec2.terminate(rig.member().instance.id)
    rig.until(lambda: rig.group.members[standby.id].lifecycle == "Pending:Wait")
    ways = [
        (detail["Origin"], detail["Destination"])
        for detail in rig.sent("EC2 Instance-launch Lifecycle Action")
        if detail["EC2InstanceId"] == standby.id
    ]
    assert ways == [("EC2", "WarmPool"), ("WarmPool", "AutoScalingGroup")]


def test_an_abandoned_standby_is_terminated_and_replaced_in_the_pool() -> None:
    """AWS Auto Scaling guide: warm pools with lifecycle hooks."""
    rig = Rig(warm_pool=GroupWarmPool(1), hooks=[HOOK])
    rig.until(lambda: rig.states() == ["Pending:Wait", "Warmed:Pending:Wait"])
    standby = rig.member(1).instance
    rig.complete("ABANDON", InstanceId=standby.id)
    assert rig.states()[1] == "Warmed:Terminating"
    rig.until(lambda: rig.states()[1:] == ["Warmed:Pending:Wait"] and rig.member(1).instance is not standby)


def test_a_standby_that_is_not_ready_is_not_waited_for() -> None:
    """AWS Auto Scaling guide, warm pools: a cold start when no warm instance is ready."""
    rig = Rig(warm_pool=GroupWarmPool(1), hooks=[HOOK])
    rig.until(lambda: rig.states() == ["Pending:Wait", "Warmed:Pending:Wait"])
    rig.complete()
    rig.run(2)
    rig.ec2.terminate(rig.member().instance.id)
    rig.until(lambda: "Terminating" in rig.states())
    rig.run(0)
    assert sorted(rig.states()) == ["Pending", "Terminating", "Warmed:Pending:Wait"]


def test_a_lost_standby_is_replaced_in_the_pool() -> None:
    """AWS Auto Scaling guide: warm pools, health checks."""
    rig = pooled()
    lost = rig.member(1).instance
    rig.ec2.terminate(lost.id)
    rig.until(lambda: rig.states() == ["InService", "Warmed:Stopped"] and rig.member(1).instance is not lost)


def test_the_default_pool_size_of_a_group_of_exactly_one_is_zero() -> None:
    """AWS Auto Scaling guide, warm pools: maximum minus desired capacity."""
    rig = serving(warm_pool=GroupWarmPool(0))
    rig.run(600)
    assert rig.states() == ["InService"]


def test_a_standby_that_ended_unnoticed_is_a_failed_launch_and_never_waits_in_the_hook() -> None:
    """AWS Auto Scaling guide: warm pools, health checks."""
    rig = pooled()
    rig.scaling.detect_s = (60.0, 60.0)
    lost = rig.member(1)
    rig.ec2.terminate(lost.instance.id)
    rig.client.set_instance_health(InstanceId=rig.member().instance.id, HealthStatus="Unhealthy")
    rig.run(30)
    assert (lost.lifecycle, lost.instance.state) == ("Pending", "terminated")
    rig.until(lambda: rig.states() == ["InService", "Warmed:Stopped"])
    failed = [row["Description"] for row in rig.activities() if row["StatusCode"] == "Failed"]
    assert failed == [f"Launching a new EC2 instance from warm pool: {lost.instance.id}"]
