"""Auto Scaling in memory: launches, sizes, describes, members by hand."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.fakeaws.autoscaling.group import TERMINATING, Group, GroupWarmPool, LifecycleHook
from unit.fakeaws.autoscaling.scaling_rig import HOOK, NAME, Rig, held, refused, serving


def test_a_new_group_launches_its_desired_capacity_with_its_address_plan_and_tags() -> None:
    """AWS Auto Scaling guide: instance lifecycle; tags with PropagateAtLaunch."""
    tags = {"picoha:slot": "platform1", "owner": "ops"}
    rig = serving(tags=tags, local_tags=frozenset({"owner"}), subnets=(("eu-west-1b", "subnet-b"),))
    instance = rig.member().instance
    assert (instance.private_ip, instance.zone, instance.subnet_id) == ("10.0.1.10", "eu-west-1b", "subnet-b")
    assert instance.tags == {"picoha:slot": "platform1", "aws:autoscaling:groupName": NAME}
    assert instance.interface_tags == instance.tags
    row = rig.shown()
    assert (row["MinSize"], row["MaxSize"], row["DesiredCapacity"]) == (1, 1, 1)
    assert [one["LifecycleState"] for one in row["Instances"]] == ["InService"]
    assert row["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100}
    assert {tag["Key"]: tag["PropagateAtLaunch"] for tag in row["Tags"]} == {
        "picoha:slot": True,
        "owner": False,
    }


def test_replacements_take_the_next_subnet_and_address() -> None:
    """AWS Auto Scaling guide: Availability Zone distribution (a turn each, so that runs repeat)."""
    rig = serving(subnets=(("eu-west-1a", "subnet-a"), ("eu-west-1b", "subnet-b")))
    rig.ec2.terminate(rig.member().instance.id)
    rig.until(lambda: rig.states() == ["InService"] and rig.member().instance.zone == "eu-west-1b")
    assert rig.member().instance.private_ip == "10.0.2.20"


def test_groups_are_found_by_tag_and_paged() -> None:
    """Auto Scaling API reference, DescribeAutoScalingGroups: filters tag-key, tag:<key>."""
    rig = serving(tags={"picoha:cell": "demo"})
    for n in range(3):
        rig.scaling.add(Group(f"other{n}", tags={"picoha:cell": "demo" if n else "prod"}))
    pages = rig.client.get_paginator("describe_auto_scaling_groups").paginate(
        Filters=[{"Name": "tag:picoha:cell", "Values": ["demo"]}], PaginationConfig={"PageSize": 2}
    )
    names = [[row["AutoScalingGroupName"] for row in page["AutoScalingGroups"]] for page in pages]
    assert names == [[NAME, "other1"], ["other2"]]


def test_an_unknown_group_is_absent_from_a_describe_and_an_error_elsewhere() -> None:
    """Auto Scaling API reference: DescribeAutoScalingGroups has no not-found error."""
    rig = serving()
    assert rig.client.describe_auto_scaling_groups(AutoScalingGroupNames=["no"])["AutoScalingGroups"] == []
    refused(rig.client.describe_warm_pool, "not found", AutoScalingGroupName="no")


def test_describe_instances_names_the_group_and_shouts_health() -> None:
    """AWS CLI reference, describe-auto-scaling-instances: its example shows HEALTHY."""
    rig = serving()
    ids = [rig.member().instance.id, "i-unknown"]
    (row,) = rig.client.describe_auto_scaling_instances(InstanceIds=ids)["AutoScalingInstances"]
    assert (row["AutoScalingGroupName"], row["HealthStatus"]) == (NAME, "HEALTHY")


def test_activities_come_newest_first_with_awss_descriptions() -> None:
    """AWS Auto Scaling guide: verify a scaling activity."""
    rig = serving()
    old = rig.member().instance
    rig.ec2.terminate(old.id)
    rig.until(lambda: rig.states() == ["InService"] and rig.member().instance is not old)
    rows = rig.activities()
    assert rig.client.describe_scaling_activities()["Activities"] == rows
    launch, end, first = rows
    assert launch["Description"] == f"Launching a new EC2 instance: {rig.member().instance.id}"
    assert end["Description"] == f"Terminating EC2 instance: {old.id}"
    assert {row["StatusCode"] for row in rows} == {"Successful"}
    assert "terminated or stopped" in end["Cause"] and end["Cause"].startswith("At 2026-11-22T")
    assert first["StartTime"] <= end["StartTime"] and end["EndTime"] > end["StartTime"]


def test_launches_without_capacity_fail_and_slow_down_until_one_succeeds() -> None:
    """AWS Auto Scaling guide, troubleshoot: InsufficientInstanceCapacity; retries grow apart."""
    rig = Rig(launch_failures=3)
    took = rig.until(lambda: rig.states() == ["InService"])
    assert 15 + 30 + 60 <= took <= 15 + 30 + 60 + 25 + 4 * 5
    failed = [row for row in rig.activities() if row["StatusCode"] == "Failed"]
    assert len(failed) == 3 and "InsufficientInstanceCapacity" in failed[0]["StatusMessage"]
    assert len(rig.sent("EC2 Instance Launch Unsuccessful")) == 3
    assert rig.group.failures_in_row == 0


def test_an_instance_that_ends_while_pending_is_a_failed_launch_and_is_replaced() -> None:
    """AWS Auto Scaling guide: instance lifecycle."""
    rig = Rig()
    rig.run(5)
    first = rig.member().instance
    rig.ec2.terminate(first.id)
    rig.until(lambda: rig.states() == ["InService"] and rig.member().instance is not first)
    assert [row["StatusCode"] for row in rig.activities() if first.id in row["Description"]] == [
        "Successful",
        "Failed",
    ]


def test_desired_zero_parks_the_group_and_one_brings_it_back() -> None:
    """AWS Auto Scaling guide: set capacity limits."""
    rig = serving()
    rig.client.update_auto_scaling_group(AutoScalingGroupName=NAME, MinSize=0, DesiredCapacity=0)
    rig.until(lambda: rig.states() == [])
    rig.client.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=1)
    rig.until(lambda: rig.states() == ["InService"])
    assert rig.member().instance.private_ip == "10.0.2.20"


def test_a_held_launch_is_not_taken_by_scale_in_until_its_hook_ends() -> None:
    """AWS Auto Scaling guide: instance lifecycle; scale-in takes instances in service."""
    rig = held(min_size=0)
    rig.client.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=0)
    rig.run(60)
    assert rig.states() == ["Pending:Wait"]
    rig.complete()
    rig.until(lambda: rig.states() == [])


@pytest.mark.parametrize(("wanted", "text"), [(2, "above max"), (0, "below min")])
def test_desired_capacity_stays_within_its_bounds(wanted: int, text: str) -> None:
    """Auto Scaling API reference, SetDesiredCapacity: ValidationError (moto accepts it)."""
    rig = serving()
    refused(rig.client.set_desired_capacity, text, AutoScalingGroupName=NAME, DesiredCapacity=wanted)
    assert rig.group.desired == 1


def test_new_bounds_pull_the_desired_capacity_along() -> None:
    """Auto Scaling API reference, UpdateAutoScalingGroup: MinSize, MaxSize."""
    rig = serving()
    rig.client.update_auto_scaling_group(AutoScalingGroupName=NAME, MinSize=2, MaxSize=3)
    rig.until(lambda: rig.states() == ["InService", "InService"])
    update = rig.client.update_auto_scaling_group
    refused(update, "Max bound", AutoScalingGroupName=NAME, MinSize=4)


@pytest.mark.parametrize("result", ["CONTINUE", "ABANDON"])
def test_a_terminate_hook_delays_the_end_and_either_result_goes_on(result: str) -> None:
    """AWS Auto Scaling guide, lifecycle hooks: both results let the instance terminate."""
    rig = serving(hooks=[LifecycleHook("picoha-launch", TERMINATING, heartbeat_s=300)])
    old = rig.member().instance
    rig.client.set_instance_health(InstanceId=old.id, HealthStatus="Unhealthy")
    rig.run(60)
    assert (rig.states()[0], old.state) == ("Terminating:Wait", "running")
    (detail,) = rig.sent("EC2 Instance-terminate Lifecycle Action")
    assert detail["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    rig.complete(result)
    rig.run(30)
    assert old.state == "terminated" and rig.states() == ["InService"]


def test_detaching_keeps_the_instance_running_and_replaces_it_unless_decremented() -> None:
    """Auto Scaling API reference, DetachInstances."""
    rig = serving()
    old = rig.member().instance
    detach = {"AutoScalingGroupName": NAME, "InstanceIds": [old.id]}
    refused(rig.client.detach_instances, "below min", **detach, ShouldDecrementDesiredCapacity=True)
    (row,) = rig.client.detach_instances(**detach, ShouldDecrementDesiredCapacity=False)["Activities"]
    assert row["Description"] == f"Detaching EC2 instance: {old.id}"
    rig.until(lambda: rig.states() == ["InService"])
    assert old.state == "running" and "aws:autoscaling:groupName" not in old.tags
    refused(rig.client.detach_instances, "not part of", **detach, ShouldDecrementDesiredCapacity=False)


def test_attaching_raises_the_desired_capacity_and_runs_no_hook() -> None:
    """Auto Scaling API reference, AttachInstances; lifecycle hooks do not run."""
    rig = Rig(hooks=[HOOK], min_size=0, desired=0)
    instance = rig.ec2.launch()
    attach = {"AutoScalingGroupName": NAME, "InstanceIds": [instance.id]}
    refused(rig.client.attach_instances, "not running", **attach)
    rig.run(30)
    rig.client.attach_instances(**attach)
    assert (rig.states(), rig.group.desired) == (["InService"], 1)
    refused(rig.client.attach_instances, "already", **attach)
    other = rig.ec2.launch()
    rig.run(30)
    refused(rig.client.attach_instances, "above max", AutoScalingGroupName=NAME, InstanceIds=[other.id])


def test_the_same_seed_gives_the_same_events_at_the_same_instants() -> None:
    """fakeaws' own promise: a story can be played again."""

    def story() -> list[Any]:
        rig = Rig(seed=7, warm_pool=GroupWarmPool(1), hooks=[LifecycleHook("picoha-launch", heartbeat_s=60)])
        rig.run(2000)
        return rig.events

    assert story() == story()
