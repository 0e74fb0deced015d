"""EC2 in memory, through real clients. Sources in the tests' docstrings are AWS's own pages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.ec2.instances import Instance, Timings
from picoha.fakeaws.scheduler import AwsFault, Scheduler


class Rig:
    """A world with EC2 alone."""

    def __init__(self, seed: int = 0) -> None:
        self.scheduler = Scheduler(seed)
        self.events: list[tuple[str, str, dict[str, Any], list[str]]] = []
        self.world = Ec2(self.scheduler, lambda *event: self.events.append(event))
        self.client: Any = fake_session({"ec2": self.world}).client("ec2")

    def running(self, **launch: Any) -> Instance:
        instance = self.world.launch(**launch)
        self.scheduler.run_for(200)
        return instance

    def shown(self, instance: Instance) -> Any:
        (found,) = self.client.describe_instances(InstanceIds=[instance.id])["Reservations"]
        return found["Instances"][0]

    def status(self, instance: Instance) -> str:
        answer = self.client.describe_instance_status(InstanceIds=[instance.id])
        return str(answer["InstanceStatuses"][0]["InstanceStatus"]["Status"])


@pytest.fixture
def rig() -> Rig:
    return Rig()


def refused(code: str, call: Callable[..., Any], *args: Any, **params: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(*args, **params)
    assert caught.value.response["Error"]["Code"] == code


def test_a_launch_is_pending_then_running_and_shows_what_picoha_reads(rig: Rig) -> None:
    """AWS EC2 user guide: instance lifecycle."""
    instance = rig.world.launch("10.0.1.10", "eu-west-1a", "subnet-1", {"picoha:slot": "platform1"})
    assert rig.shown(instance)["State"] == {"Code": 0, "Name": "pending"}
    rig.scheduler.run_for(25)
    shown = rig.shown(instance)
    assert shown["State"] == {"Code": 16, "Name": "running"}
    assert shown["PrivateIpAddress"] == "10.0.1.10"
    assert shown["NetworkInterfaces"][0]["NetworkInterfaceId"] == instance.interface_id
    assert shown["Placement"]["AvailabilityZone"] == "eu-west-1a"
    assert shown["LaunchTime"] == rig.scheduler.start
    assert shown["Tags"] == [{"Key": "picoha:slot", "Value": "platform1"}]


def test_terminating_takes_its_time_and_the_instance_stays_visible_for_an_hour(rig: Rig) -> None:
    """AWS EC2 user guide: terminate instances; terminated ones stay visible about an hour."""
    instance = rig.running()
    answer = rig.client.terminate_instances(InstanceIds=[instance.id], SkipOsShutdown=True)
    change = answer["TerminatingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert instance.skip_os_shutdown
    rig.scheduler.run_for(19)
    assert rig.shown(instance)["State"]["Name"] == "shutting-down"
    rig.scheduler.run_for(1)
    shown = rig.shown(instance)
    assert shown["State"]["Name"] == "terminated"
    assert "PrivateIpAddress" not in shown and shown["NetworkInterfaces"] == []
    rig.scheduler.run_for(3599)
    assert rig.shown(instance)["State"]["Name"] == "terminated"
    rig.scheduler.run_for(2)
    refused("InvalidInstanceID.NotFound", rig.shown, instance)


def test_terminating_twice_is_one_termination(rig: Rig) -> None:
    """EC2 API reference, TerminateInstances: idempotent."""
    instance = rig.running()
    rig.client.terminate_instances(InstanceIds=[instance.id])
    rig.scheduler.run_for(10)
    rig.client.terminate_instances(InstanceIds=[instance.id])
    rig.scheduler.run_for(10)
    again = rig.client.terminate_instances(InstanceIds=[instance.id])["TerminatingInstances"][0]
    assert (again["PreviousState"]["Name"], again["CurrentState"]["Name"]) == ("terminated", "terminated")
    assert [state for _, state in instance.history] == ["pending", "running", "shutting-down", "terminated"]


def test_an_instance_terminated_while_pending_never_runs(rig: Rig) -> None:
    """AWS EC2 user guide: instance lifecycle."""
    instance = rig.world.launch()
    rig.scheduler.run_for(10)
    rig.client.terminate_instances(InstanceIds=[instance.id])
    rig.scheduler.run_for(60)
    assert [state for _, state in instance.history] == ["pending", "shutting-down", "terminated"]


def test_a_protected_instance_is_refused_and_shields_its_zone_only(rig: Rig) -> None:
    """EC2 API reference, TerminateInstances: protection blocks the instances of the same zone."""
    kept, neighbour = rig.running(), rig.running()
    other = rig.running(zone="eu-west-1b")
    kept.protected = True
    ids = [kept.id, neighbour.id, other.id]
    refused("OperationNotPermitted", rig.client.terminate_instances, InstanceIds=ids)
    assert [one.state for one in (kept, neighbour, other)] == ["running", "running", "shutting-down"]


def test_a_dry_run_changes_nothing(rig: Rig) -> None:
    """EC2 API reference, DryRun: error DryRunOperation when the call is allowed."""
    instance = rig.running()
    refused("DryRunOperation", rig.client.terminate_instances, InstanceIds=[instance.id], DryRun=True)
    assert instance.state == "running"


def test_a_hanging_termination_stays_shutting_down_until_released(rig: Rig) -> None:
    """AWS EC2 user guide, troubleshoot instance termination: delayed termination."""
    instance = rig.running()
    rig.world.hang_terminate(instance.id)
    rig.client.terminate_instances(InstanceIds=[instance.id], Force=True)
    rig.scheduler.run_for(7200)
    assert instance.state == "shutting-down"
    rig.world.release_terminate(instance.id)
    rig.scheduler.run_for(20)
    assert instance.state == "terminated"


def test_a_termination_that_hangs_until_forced_ends_after_a_forced_call(rig: Rig) -> None:
    """AWS EC2 user guide, methods for terminating an instance: force."""
    instance = rig.running()
    rig.world.hang_terminate(instance.id, until_forced=True)
    rig.client.terminate_instances(InstanceIds=[instance.id])
    rig.scheduler.run_for(600)
    assert instance.state == "shutting-down"
    rig.client.terminate_instances(InstanceIds=[instance.id], Force=True, SkipOsShutdown=True)
    rig.scheduler.run_for(20)
    assert instance.state == "terminated"


def test_stop_and_start_keep_the_instance_and_its_addresses(rig: Rig) -> None:
    """AWS EC2 user guide: stop and start; private address and interface stay."""
    instance = rig.running()
    rig.client.stop_instances(InstanceIds=[instance.id])
    assert instance.state == "stopping"
    rig.scheduler.run_for(30)
    assert rig.shown(instance)["State"]["Name"] == "stopped"
    assert rig.shown(instance)["PrivateIpAddress"] == instance.private_ip
    rig.client.start_instances(InstanceIds=[instance.id])
    rig.scheduler.run_for(25)
    assert instance.state == "running"


@pytest.mark.parametrize("verb", ["start_instances", "stop_instances"])
def test_a_terminated_instance_is_not_resurrected(rig: Rig, verb: str) -> None:
    """emulators.md 1.1, start of a terminated instance: AWS answers IncorrectInstanceState."""
    instance = rig.running()
    rig.world.terminate(instance.id)
    rig.scheduler.run_for(20)
    refused("IncorrectInstanceState", getattr(rig.client, verb), InstanceIds=[instance.id])


def test_a_stopping_instance_cannot_be_started(rig: Rig) -> None:
    """AWS EC2 user guide: instance lifecycle."""
    instance = rig.running()
    rig.world.stop(instance.id)
    with pytest.raises(AwsFault, match="IncorrectInstanceState"):
        rig.world.start(instance.id)


def test_status_checks_pass_after_a_while_and_show_impairment_and_recovery(rig: Rig) -> None:
    """AWS EC2 user guide: status checks."""
    instance = rig.world.launch()
    rig.scheduler.run_for(30)
    assert rig.status(instance) == "initializing"
    rig.scheduler.run_for(120)
    assert rig.status(instance) == "ok"
    rig.world.impair(instance.id)
    assert rig.status(instance) == "impaired"
    rig.world.impair(instance.id, on=False)
    assert rig.status(instance) == "ok"


def test_a_dead_machine_still_says_running_and_fails_its_checks_a_minute_later(rig: Rig) -> None:
    """AWS EC2 user guide: status checks run every minute; the state is the API's, not the machine's."""
    instance = rig.running()
    told: list[Instance] = []
    rig.world.on_die.append(told.append)
    rig.world.die(instance.id)
    assert told == [instance] and not instance.alive
    rig.scheduler.run_for(59)
    assert rig.status(instance) == "ok"
    rig.scheduler.run_for(1)
    assert rig.status(instance) == "impaired"
    assert instance.state == "running"


def test_starting_after_a_stop_moves_a_dead_machine_to_good_hardware(rig: Rig) -> None:
    """AWS EC2 user guide: an instance that is stopped and started usually moves to a new host."""
    instance = rig.running()
    rig.world.die(instance.id)
    rig.world.stop(instance.id)
    rig.scheduler.run_for(30)
    rig.world.start(instance.id)
    rig.scheduler.run_for(150)
    assert instance.alive and rig.status(instance) == "ok"


def test_status_of_instances_that_do_not_run_is_shown_only_on_request(rig: Rig) -> None:
    """EC2 API reference, DescribeInstanceStatus: IncludeAllInstances."""
    instance = rig.running()
    rig.world.stop(instance.id)
    assert rig.client.describe_instance_status()["InstanceStatuses"] == []
    (row,) = rig.client.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
    assert row["InstanceState"]["Name"] == "stopping"
    assert row["InstanceStatus"]["Status"] == "not-applicable"


def test_a_scheduled_event_is_shown_with_the_status(rig: Rig) -> None:
    """AWS EC2 user guide: scheduled events."""
    instance = rig.running()
    rig.world.schedule_event(instance.id, "instance-retirement", rig.scheduler.now)
    (row,) = rig.client.describe_instance_status(InstanceIds=[instance.id])["InstanceStatuses"]
    assert [event["Code"] for event in row["Events"]] == ["instance-retirement"]


def test_describe_filters_by_tag_and_state(rig: Rig) -> None:
    """EC2 API reference, DescribeInstances: filters are ANDed, their values ORed."""
    ours = rig.running(tags={"picoha:cell": "demo"})
    rig.running(tags={"picoha:cell": "prod"})
    rig.world.stop(rig.running(tags={"picoha:cell": "demo"}).id)
    answer = rig.client.describe_instances(
        Filters=[
            {"Name": "tag:picoha:cell", "Values": ["demo"]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
    )
    assert [
        row["InstanceId"] for reservation in answer["Reservations"] for row in reservation["Instances"]
    ] == [ours.id]


def test_ids_and_page_size_cannot_be_combined(rig: Rig) -> None:
    """EC2 API reference, DescribeInstances: MaxResults."""
    both = {"InstanceIds": [rig.running().id], "MaxResults": 5}
    refused("InvalidParameterCombination", rig.client.describe_instances, **both)


def test_stale_reads_show_an_earlier_state_then_the_true_one(rig: Rig) -> None:
    """EC2 API reference: eventual consistency."""
    instance = rig.running()
    rig.world.stale_reads_s = 30
    rig.world.terminate(instance.id)
    rig.scheduler.run_for(21)
    seen = {rig.shown(instance)["State"]["Name"] for _ in range(60)}
    assert seen == {"running", "shutting-down", "terminated"}
    rig.scheduler.run_for(30)
    assert {rig.shown(instance)["State"]["Name"] for _ in range(20)} == {"terminated"}


def test_a_stale_read_may_not_know_a_new_instance_yet(rig: Rig) -> None:
    """EC2 API reference, eventual consistency: NotFound right after a launch."""
    rig.scheduler.run_for(100)
    rig.world.stale_reads_s = 1000
    instance = rig.world.launch()
    refused("InvalidInstanceID.NotFound", rig.shown, instance)
    assert rig.client.describe_instances()["Reservations"] == []


def test_every_state_change_is_an_event_and_a_callback(rig: Rig) -> None:
    """EventBridge reference: EC2 Instance State-change Notification."""
    moves: list[tuple[str, str]] = []
    rig.world.on_state.append(lambda _, old, new: moves.append((old, new)))
    instance = rig.running()
    rig.world.terminate(instance.id)
    rig.scheduler.run_for(20)
    states = ["new", "pending", "running", "shutting-down", "terminated"]
    assert moves == list(pairwise(states))
    assert [detail["state"] for _, _, detail, _ in rig.events] == [new for _, new in moves]
    assert rig.events[-1] == (
        "aws.ec2",
        "EC2 Instance State-change Notification",
        {"instance-id": instance.id, "state": "terminated"},
        [f"arn:aws:ec2:eu-west-1:123456789012:instance/{instance.id}"],
    )


def test_one_instance_may_be_slower_than_the_others(rig: Rig) -> None:
    """A story's setting: no AWS page gives these durations."""
    slow, fast = rig.running(), rig.running()
    slow.timings = Timings(terminate_s=300)
    rig.world.terminate(slow.id)
    rig.world.terminate(fast.id)
    rig.scheduler.run_for(100)
    assert (slow.state, fast.state) == ("shutting-down", "terminated")
