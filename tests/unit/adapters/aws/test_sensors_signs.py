"""The sensors that weigh what they see: samples, activities, dependencies; and what a failure says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from picoha.adapters.aws.sensors import AwsSensors
from picoha.app.errors import SensorFailed
from picoha.domain.model import Dependency, InstanceId, Sample, SlotName
from picoha.fakeaws.autoscaling.group import GroupWarmPool
from picoha.fakeaws.scheduler import START
from unit.adapters.aws.aws_rig import Account, denied, seeing

EC1, EC2 = SlotName("ec1"), SlotName("ec2")


@pytest.fixture
def account() -> Account:
    return Account()


# Samples.


def test_the_newest_sample_of_each_slot_and_the_tick_are_told(account: Account) -> None:
    for value in (1.0, 0.0):
        account.put("Healthy", value, Cell="demo", Slot="ec1")
        account.scheduler.run_for(10)
    account.put("Healthy", 1.0, Cell="prod", Slot="ec2")
    account.put("Tick", 1.0, Cell="demo")
    account.scheduler.run_for(5)
    assert account.sensors.newest_samples([EC1, EC2]) == {
        "ec1": Sample(START + timedelta(seconds=10), 0.0),
        "*": Sample(START + timedelta(seconds=20), 1.0),
    }


@pytest.mark.parametrize(("age_s", "is_seen"), [(895, True), (905, False)])
def test_a_sample_is_looked_for_in_the_last_15_minutes(account: Account, age_s: float, is_seen: bool) -> None:
    account.put("Healthy", 1.0, Cell="demo", Slot="ec1")
    account.scheduler.run_for(age_s)
    assert ("ec1" in account.sensors.newest_samples([EC1])) is is_seen


def test_more_slots_than_one_call_takes_are_all_asked_for(account: Account) -> None:
    slots = [SlotName(f"ec{number}") for number in range(700)]
    account.put("Healthy", 1.0, Cell="demo", Slot="ec699")
    account.scheduler.run_for(5)
    assert set(account.sensors.newest_samples(slots)) == {"ec699"}
    assert [len(param["MetricDataQueries"]) for param in account.gate.params("GetMetricData")] == [500, 201]


@pytest.mark.parametrize("status", ["InternalError", "PartialData", "Forbidden"])
def test_a_sample_that_cloudwatch_could_not_read_is_not_silence(status: str) -> None:
    results = [
        {"Id": "q0", "Timestamps": [START], "Values": [1.0], "StatusCode": "Complete"},
        {"Id": "q1", "Timestamps": [], "Values": [], "StatusCode": status},
    ]
    sensors = seeing("cloudwatch", GetMetricData={"MetricDataResults": results})
    with pytest.raises(SensorFailed, match=f"reading the newest sample of ec1: {status}"):
        sensors.newest_samples([EC1])


# Activities.


def test_only_a_successful_termination_of_that_very_instance_counts_as_departed(account: Account) -> None:
    group = account.group("ec1")
    account.scheduler.run_for(60)
    [member] = group.members.values()
    gone = InstanceId(member.instance.id)
    account.ec2.terminate(gone)
    account.scheduler.run_for(15)
    assert account.sensors.departed("demo-ec1", [gone]) == frozenset()
    account.scheduler.run_for(200)
    [successor] = [InstanceId(one) for one in group.members]
    assert account.sensors.departed("demo-ec1", [gone, successor, InstanceId(gone[:-1])]) == {gone}


@pytest.mark.parametrize("status", ["InProgress", "Failed", "Cancelled", "WaitingForInstanceId"])
def test_a_termination_that_did_not_succeed_is_no_proof(status: str) -> None:
    row = activity("Terminating EC2 instance: i-1", status)
    sensors = seeing("autoscaling", DescribeScalingActivities={"Activities": [row]})
    assert sensors.departed("demo-ec1", [InstanceId("i-1")]) == frozenset()


@pytest.mark.parametrize(
    ("text", "is_proof"),
    [
        ("Terminating EC2 instance: i-1", True),
        ("Terminating EC2 instance: i-1 - Waiting for Terminate Lifecycle Action", True),
        ("Terminating EC2 instance: i-12", False),
        ("Launching a new EC2 instance: i-1", False),
        ("Moving EC2 instance to Standby: i-1", False),
    ],
)
def test_the_activity_must_name_the_instance_and_its_termination(text: str, is_proof: bool) -> None:
    sensors = seeing("autoscaling", DescribeScalingActivities={"Activities": [activity(text, "Successful")]})
    assert bool(sensors.departed("demo-ec1", [InstanceId("i-1")])) is is_proof


def activity(text: str, status: str) -> dict[str, Any]:
    needed = {"ActivityId": "a", "AutoScalingGroupName": "demo-ec1", "Cause": "c", "StartTime": START}
    return needed | {"Description": text, "StatusCode": status}


# Dependencies.

RDS_UP = ["available", "backing-up", "modifying", "storage-optimization", "configuring-log-exports"]
RDS_DOWN = ["stopped", "failed", "rebooting", "starting", "failing-over", "storage-full", ""]


@pytest.mark.parametrize("scheme", ["rds", "rds-cluster"])
@pytest.mark.parametrize("status", [*RDS_UP, *RDS_DOWN])
def test_a_database_is_up_in_the_statuses_in_which_it_serves(
    account: Account, scheme: str, status: str
) -> None:
    account.databases.set_status("mz-db", status, cluster=scheme == "rds-cluster")
    assert account.sensors.is_up(Dependency(scheme, "mz-db")) is (status in RDS_UP)


@pytest.mark.parametrize(
    ("state", "is_up"),
    [("available", True), ("updating", True), ("creating", False), ("deleting", False), ("error", False)],
)
def test_a_file_system_is_up_by_its_life_cycle(account: Account, state: str, is_up: bool) -> None:
    account.file_systems.set_status("fs-1", state)
    assert account.sensors.is_up(Dependency("efs", "fs-1")) is is_up


@pytest.mark.parametrize("kind", ["MetricAlarms", "CompositeAlarms"])
@pytest.mark.parametrize(("state", "is_up"), [("OK", True), ("INSUFFICIENT_DATA", True), ("ALARM", False)])
def test_an_alarm_holds_in_alarm_only(kind: str, state: str, is_up: bool) -> None:
    sensors = seeing("cloudwatch", DescribeAlarms={kind: [{"AlarmName": "db", "StateValue": state}]})
    assert sensors.is_up(Dependency("alarm", "db")) is is_up


MISSING = [
    (Dependency("rds", "gone"), "looking at rds:gone: DBInstanceNotFound"),
    (Dependency("rds-cluster", "gone"), "looking at rds-cluster:gone: DBClusterNotFoundFault"),
    (Dependency("efs", "fs-gone"), "looking at efs:fs-gone: FileSystemNotFound"),
    (Dependency("alarm", "gone"), "looking at alarm:gone: no such alarm"),
    (Dependency("tcp", "db:1521"), "looking at tcp:db:1521: no rule for tcp"),
]


@pytest.mark.parametrize(("dependency", "told"), MISSING)
def test_a_dependency_that_does_not_exist_is_unknown_not_down(
    account: Account, dependency: Dependency, told: str
) -> None:
    with pytest.raises(SensorFailed, match=told):
        account.sensors.is_up(dependency)


# Failures.

Look = Callable[[AwsSensors], object]
LOOKS: list[tuple[str, str, Look]] = [
    (
        "DescribeAutoScalingGroups",
        "describing the cell's Auto Scaling groups",
        lambda one: one.declared_slots(),
    ),
    ("DescribeWarmPool", "describing the cell's Auto Scaling groups", lambda one: one.declared_slots()),
    ("DescribeAddresses", "describing the cell's Elastic IPs", lambda one: one.addresses()),
    ("DescribeInstances", "describing the cell's instances", lambda one: one.hosts()),
    ("DescribeInstanceStatus", "describing status checks", lambda one: one.statuses([InstanceId("i-1")])),
    ("GetMetricData", "reading the newest samples", lambda one: one.newest_samples([EC1])),
    (
        "DescribeScalingActivities",
        "describing the activities of demo-ec1",
        lambda one: one.departed("demo-ec1", []),
    ),
    ("DescribeDBInstances", "looking at rds:db", lambda one: one.is_up(Dependency("rds", "db"))),
    (
        "DescribeDBClusters",
        "looking at rds-cluster:db",
        lambda one: one.is_up(Dependency("rds-cluster", "db")),
    ),
    ("DescribeFileSystems", "looking at efs:fs-1", lambda one: one.is_up(Dependency("efs", "fs-1"))),
    ("DescribeAlarms", "looking at alarm:a", lambda one: one.is_up(Dependency("alarm", "a"))),
]


@pytest.mark.parametrize(("operation", "what", "look"), LOOKS)
def test_a_call_that_is_refused_or_not_answered_says_what_was_tried_and_why(
    account: Account, operation: str, what: str, look: Look
) -> None:
    account.group("ec1", warm_pool=GroupWarmPool(1))
    account.gate.refused[operation] = denied(operation)
    with pytest.raises(SensorFailed) as refused:
        look(account.sensors)
    assert refused.value.reason.startswith(
        f"{what}: UnauthorizedOperation: You are not authorized to perform {operation}. (request "
    )
    account.gate.refused[operation] = ReadTimeoutError(endpoint_url="https://aws")
    with pytest.raises(SensorFailed, match=f"{what}: ReadTimeoutError: Read timeout on endpoint URL"):
        look(account.sensors)
