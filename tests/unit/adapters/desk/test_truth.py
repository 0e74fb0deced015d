"""The referee sees what must never happen, in the world itself, and sees nothing where all is well."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.adapters.aws.items import slot_item
from picoha.adapters.desk.hosts import DeskHost
from picoha.adapters.desk.kernel import START
from picoha.adapters.desk.scaling_group import Group
from picoha.adapters.desk.stage import tags_of
from picoha.adapters.desk.story import DEMO
from picoha.adapters.desk.world import World
from picoha.domain.model import InstanceId, Pico, PicoType, SlotName
from picoha.domain.record import Operation, Phase, SlotRecord, Step, Verb

EC1 = SlotName("ec1")


def world(hosts: int = 2) -> World:
    """A world with ec1's group of so many running hosts; nobody listens and nobody starts picos."""
    found = World("demo")
    group = Group("demo-ec1", min_size=0, max_size=9, desired=hosts, tags=tags_of("demo", DEMO[1]))
    found.add_group(group, (Pico("ec1", 7101, PicoType.EC),))
    found.kernel.run_for(60)
    return found


def hosts_of(found: World) -> list[DeskHost]:
    return list(found.hosts.values())


def fenced(found: World, *victims: str) -> None:
    """Write ec1's record with an open failover of these victims."""
    ids = tuple(InstanceId(one) for one in victims)
    operation = Operation(
        "ec1-1-1", Verb.FAILOVER, Step.FENCING, START, START, 445, "lost", 1, victim=ids[-1], victims=ids
    )
    record = SlotRecord(EC1, ver=1, phase=Phase.IN_FAILOVER, holder=ids[0], epoch=1, operation=operation)
    found.admin.dynamodb.put_item(TableName=found.table.name, Item=slot_item(record, "n"))


# S3: two actives.


def test_one_host_that_runs_a_pico_is_well_and_so_is_another_after_it() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    first.halt()
    second.start_pico("ec1")
    assert found.truth.violations == []


def test_a_pico_that_runs_on_two_hosts_is_seen_once_with_its_second() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    second.start_pico("ec1")
    found.kernel.run_for(100)
    second.start_pico("ec1")
    ids = " and ".join(sorted(one.instance.id for one in (first, second)))
    assert found.truth.violations == [f"60 s: S3: ec1 of ec1 runs on {ids}"]


def test_a_machine_that_died_runs_nothing_whatever_ec2_says() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    found.ec2.die(first.instance.id)
    second.start_pico("ec1")
    assert first.instance.state == "running"
    assert found.truth.violations == []


def test_a_machine_that_only_lost_its_agent_still_runs_its_picos() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    first.is_agent_up = False
    second.start_pico("ec1")
    assert len(found.truth.violations) == 1


def test_other_picos_on_other_hosts_are_no_two_actives() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    second.start_pico("sc1")
    assert found.truth.violations == []


def test_an_owner_who_starts_picos_by_himself_is_not_judged() -> None:
    found = world()
    found.owners_start = True
    for host in hosts_of(found):
        host.start_pico("ec1")
    assert found.truth.violations == []


# S5, S6, S12: calls of the controller.


def test_a_terminated_bystander_is_seen_and_a_victim_is_not() -> None:
    found = world()
    victim, bystander = (one.instance.id for one in hosts_of(found))
    fenced(found, victim)
    found.controller.ec2.terminate_instances(InstanceIds=[victim])
    assert found.truth.violations == []
    found.controller.ec2.terminate_instances(InstanceIds=[bystander])
    assert found.truth.violations == [f"60 s: S6: {bystander} was terminated and is no victim"]


def test_an_earlier_victim_of_the_operation_may_be_terminated_again() -> None:
    found = world()
    first, second = (one.instance.id for one in hosts_of(found))
    fenced(found, first, second)
    found.controller.ec2.terminate_instances(InstanceIds=[first])
    assert found.truth.violations == []


def test_without_an_operation_every_host_is_a_bystander() -> None:
    found = world(1)
    [host] = hosts_of(found)
    found.controller.ec2.terminate_instances(InstanceIds=[host.instance.id])
    assert len(found.truth.violations) == 1


@pytest.mark.parametrize("given", [{}, {"AllowReassociation": True}])
def test_an_address_that_may_be_pulled_from_somebody_is_seen(given: dict[str, Any]) -> None:
    found = world(1)
    address = found.addresses.allocate("203.0.113.10")
    interface = hosts_of(found)[0].instance.interface_id
    client: Any = found.controller.ec2
    client.associate_address(AllocationId=address.allocation_id, NetworkInterfaceId=interface, **given)
    assert found.truth.violations == ["60 s: S5: an address was associated with reassociation allowed"]


def test_an_address_that_is_only_taken_while_free_is_well() -> None:
    found = world(1)
    address = found.addresses.allocate("203.0.113.10")
    found.controller.ec2.associate_address(
        AllocationId=address.allocation_id,
        NetworkInterfaceId=hosts_of(found)[0].instance.interface_id,
        AllowReassociation=False,
    )
    assert found.truth.violations == []


def test_a_capacity_that_is_written_is_seen_whatever_it_is() -> None:
    found = world(1)
    scaling = found.controller.autoscaling
    scaling.set_desired_capacity(AutoScalingGroupName="demo-ec1", DesiredCapacity=1)
    scaling.update_auto_scaling_group(AutoScalingGroupName="demo-ec1", MinSize=0)
    assert found.truth.violations == [
        "60 s: S12: SetDesiredCapacity was called",
        "60 s: S12: UpdateAutoScalingGroup was called",
    ]


def test_a_forbidden_call_is_seen_even_when_it_fails() -> None:
    found = world(0)
    with pytest.raises(found.controller.ec2.exceptions.ClientError):
        found.controller.ec2.terminate_instances(InstanceIds=["i-nobody"])
    assert found.truth.violations == ["60 s: S6: i-nobody was terminated and is no victim"]


def test_what_the_owner_does_by_hand_is_not_the_controllers() -> None:
    found = world(1)
    found.admin.ec2.terminate_instances(InstanceIds=[hosts_of(found)[0].instance.id])
    found.admin.autoscaling.set_desired_capacity(AutoScalingGroupName="demo-ec1", DesiredCapacity=0)
    assert found.truth.violations == []


def test_seconds_are_told_from_second_0_of_the_story() -> None:
    found = world(1)
    found.zero_s = 50
    found.controller.autoscaling.set_desired_capacity(AutoScalingGroupName="demo-ec1", DesiredCapacity=1)
    assert found.truth.violations == ["10 s: S12: SetDesiredCapacity was called"]
